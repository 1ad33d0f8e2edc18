"""No test is decided by how fast the machine is: it waits for what must come (tests/waiting.py), or sets the clock."""

import ast
from pathlib import Path

import pytest

from apps.stack.configuration import ROOT
from tests import requirement

# Where seconds pass, and why nothing is decided by them. What is not run by `make test` is left out as a whole.
SLEEPS = {
    "tests/waiting.py": "between two looks",
    "tests/postgres.py": "between two looks",
    "tests/e2e/conftest.py": "between two looks",
    "tests/jobs/test_cancelled.py": "between two looks",
    "tests/jobs/test_outages.py": "between two looks",
    "tests/qkdclient/test_strange.py": "between two looks",
    "tests/stack/power_script.py": "between two looks",
    "tests/stack/test_ordered.py": "a slow test lets a minute pass",
    "tests/stack/serving_script.py": "between two looks, and a request that hangs until the worker is ended",
    "tests/stack/test_run.py": "an answer from before has to be too old; a run is killed anywhere in the middle",
    "tests/kme/mock_kme.py": "an answer that never ends, byte by byte",
}
LEFT_OUT = {
    "tests/torture",
    "tests/deploy/test_embedded_cloud.py",
    "tests/e2e/first_use.py",
    "tests/e2e/test_kill.py",
    "tests/e2e/test_torture.py",
    "tests/e2e/test_two_sites.py",
}
# Limits that only what hangs comes to
LIMITS = {
    "tests/waiting.py",
    "tests/e2e/conftest.py",
    "tests/jobs/test_cancelled.py",
    "tests/stack/test_ordered.py",
}
CLOCKS = {"monotonic", "perf_counter", "time"}


def of_time(node: ast.AST, names: set[str]) -> bool:
    """Return whether something is ``time.<one of these names>``, or asyncio's."""
    owner = node.value if isinstance(node, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id in {"time", "asyncio"} and node.attr in names  # type: ignore[attr-defined]


def uses(tree: ast.AST) -> tuple[bool, bool]:
    """Return whether a module sleeps, and whether it asserts what a clock says."""
    asserted = [node.test for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    sleeps = any(of_time(node, {"sleep"}) for node in ast.walk(tree))
    return sleeps, any(of_time(node, CLOCKS) for test in asserted for node in ast.walk(test))


def modules() -> list[Path]:
    found = [path.relative_to(ROOT) for path in sorted((ROOT / "tests").rglob("*.py"))]
    return [path for path in found if not {str(path), *map(str, path.parents)} & LEFT_OUT]


@requirement("H1")
def test_no_test_is_decided_by_the_time_that_passes() -> None:
    found = {str(path): uses(ast.parse((ROOT / path).read_text())) for path in modules()}
    assert len(found) > 300
    assert {name for name, (sleeps, _) in found.items() if sleeps} == set(SLEEPS)
    assert {name for name, (_, asserts) in found.items() if asserts} == LIMITS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("time.sleep(1)", (True, False)),
        ("patch(x, time.sleep)", (True, False)),
        ("assert time.monotonic() - began < 2", (False, True)),
        ("deadline = time.monotonic() + 2", (False, False)),
        ("now.sleep(1)", (False, False)),
    ],
)
def test_what_is_looked_for_is_found(text: str, found: tuple[bool, bool]) -> None:
    assert uses(ast.parse(text)) == found
