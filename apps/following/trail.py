"""What the trail records about its followers: nothing."""

# Functions that write without an entry of their own, and why. docs/recorded.md shows them.
UNRECORDED = {
    "apps.following.places.begin_again": "A place that somebody else set is put where the next entry goes on: an entry of a follower would be followed in turn, so the log says it.",
}
