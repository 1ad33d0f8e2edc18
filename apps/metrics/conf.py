"""Settings of metrics."""

from apps.common.environment import Section

section = Section("Metrics")

METRICS = section.text(
    "METRICS",
    "emf",
    local="openmetrics",
    about="Where metrics go: `emf` (lines of the log that CloudWatch reads), `openmetrics` (this machine's `/metrics`) or `off`.",
)
TRACES = section.text(
    "TRACES",
    "xray",
    local="off",
    about="Where spans of calls of AWS go: `xray` (the daemon beside a function), `log` (lines of the log) or `off`.",
)
METRICS_FILE = section.text(
    "METRICS_FILE",
    "{local_dir}/metrics.sqlite3",
    about="The file that the processes of one machine keep their numbers in for `/metrics`.",
)
