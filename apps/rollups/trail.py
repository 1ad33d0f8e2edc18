"""What the trail records about its sums: nothing."""

# Functions that write without an entry of their own, and why. docs/recorded.md shows them.
UNRECORDED = {
    "apps.rollups.store.remove_spoiled": "Sums are made from entries: one about them would be counted in turn, so the log says it.",
}
