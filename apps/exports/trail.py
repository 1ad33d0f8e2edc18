"""Why exports leave no entries of their own."""

# Functions that write without an entry of their own, and why. docs/recorded.md shows them.
UNRECORDED = {
    "apps.exports.bucket.put": "Each caller records what it made, with its digest.",
    "apps.exports.bucket._put_where": "The trail's own entries, written out: an entry about each would be exported, too.",
}
