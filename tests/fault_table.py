"""The table of what was tried with AWS failing, after the tests: operation, failure points, violations.

A test asks for ``each_call`` in the place of ``at_each_call``, or adds a row of its own by
``record_property(PROPERTY, (operation, points, violations))``; pytest-xdist brings it along.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults import Fault, at_each_call

PROPERTY = "fault_points"


@pytest.fixture
def each_call(record_property: Callable[[str, object], None]) -> Callable[..., Iterator[tuple[str, Any]]]:
    """``at_each_call`` for a named operation, told in the table; a test that fails in its loop is a violation."""

    def tried(
        operation: str, fault: Fault, prepare: Callable[[], Any], attempt: Callable[[Any], object]
    ) -> Iterator[tuple[str, Any]]:
        points, violations = 0, 1
        try:
            for place, subject in at_each_call(fault, prepare, attempt):
                points += not place.endswith("None")
                yield place, subject
            violations = 0
        finally:
            record_property(PROPERTY, (operation, points, violations))

    return tried


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY:
                operation, points, violations = value
                for row in (rows[operation], rows["in all"]):
                    row[0] += points
                    row[1] += violations
    if not rows:
        return
    terminalreporter.section("failing AWS calls")
    terminalreporter.line(f"{'operation':28} {'failure points':>14} {'violations':>10}")
    for operation in sorted(rows, key=lambda name: (name == "in all", name)):
        points, violations = rows[operation]
        terminalreporter.line(f"{operation:28} {points:14} {violations:10}")
