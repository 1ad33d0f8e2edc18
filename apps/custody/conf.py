"""Settings of custody."""

from apps.common.environment import Section

section = Section("Custody")

REWRAP_AFTER_DAYS = section.integer(
    "REWRAP_AFTER_DAYS",
    0,
    low=0,
    high=3650,
    about="Days after its rotation by age or use that a pool key still opens its files, which are then re-wrapped: 335 "
    "re-wraps each file once a year instead of every month. What is revoked, or below its pool's minimum, never waits.",
)
REWRAP_PER_SECOND = section.integer(
    "REWRAP_PER_SECOND",
    50,
    low=1,
    about="Files that a rotation re-wraps in a second; leaves the tables to callers who wait for an answer.",
)
