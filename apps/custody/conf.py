"""Settings of custody."""

from apps.common.environment import Section

section = Section("Custody")

REWRAP_PER_SECOND = section.integer(
    "REWRAP_PER_SECOND",
    50,
    low=1,
    about="Files that a rotation re-wraps in a second; leaves the tables to callers who wait for an answer.",
)
