"""Settings of rollups."""

from apps.common.environment import Section

section = Section("Metrics")

ROLLUP_PARTS = section.integer(
    "ROLLUP_PARTS",
    4,
    low=1,
    high=64,
    about="Parts of each sum over time, so that the processes that add to it do not meet in one row. May be changed at any time.",
)
