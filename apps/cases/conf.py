"""Settings of cases."""

from apps.common.environment import Section

section = Section("Cases")

CASE_WINDOW_HOURS = section.integer(
    "CASE_WINDOW_HOURS",
    24,
    low=1,
    high=24 * 90,
    about="Hours before a finding from which on the keys of its link are under suspicion.",
)
CASE_ACKNOWLEDGE_MINUTES = section.integer(
    "CASE_ACKNOWLEDGE_MINUTES",
    30,
    low=1,
    high=24 * 60,
    about="Minutes after which a case that nobody acknowledged is told of as stuck.",
)
