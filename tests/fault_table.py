"""The table of what was tried with AWS failing, after the tests: operation, failure points, violations.

A test adds a row by ``record_property(PROPERTY, (operation, points, violations))``; pytest-xdist brings it along.
"""

from typing import Any

PROPERTY = "fault_points"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    rows = sorted(
        tuple(value)
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == PROPERTY
    )
    if not rows:
        return
    terminalreporter.section("failing AWS calls")
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    terminalreporter.line(f"{'operation':24} {'failure points':>14} {'violations':>10}")
    for operation, points, wrong in rows:
        terminalreporter.line(f"{operation:24} {points:14} {wrong:10}")
