"""A test that fails by chance is told and does not keep a change from landing; one that fails is what it was."""

import os
import subprocess
import sys

import pytest

from apps.stack.configuration import ROOT
from tests import requirement
from tests.whole import MOST

CHANCE = """
from pathlib import Path

def test_that_fails_once():
    seen = Path("seen")
    first = not seen.exists()
    seen.touch()
    assert not first, "by chance"
"""
FAULT = "\ndef test_that_fails_{}():\n    assert False\n"


@requirement("H1")
@pytest.mark.parametrize(
    ("tests", "code", "told", "runs"),
    [
        pytest.param("def test_that_passes(): pass", 0, "1 passed", 1, id="none"),
        pytest.param(CHANCE, 0, "passed alone. Above is how; find out why:\n  test_some.py::test_that_fails_once", 2, id="chance"),
        pytest.param(CHANCE + FAULT.format(1), 1, "1 failed, 1 passed", 2, id="fault"),
        pytest.param("".join(map(FAULT.format, range(MOST + 1))), 1, f"{MOST + 1} failed", 1, id="many"),
        pytest.param("1 / 0", 2, "ZeroDivisionError", 1, id="no test"),
    ],
)  # fmt: skip
def test_what_failed_runs_once_more(tmp_path, tests, code, told, runs):
    (tmp_path / "test_some.py").write_text(tests)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "tests.whole", "-p", "no:logging"]
    ended = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == code
    assert told in ended.stdout
    assert ended.stdout.count("test session starts") == runs


@requirement("H1")
def test_what_was_compiled_is_kept_whatever_the_environment_says(tmp_path):
    """Workers and the processes of tests compile for seconds each, else."""
    (tmp_path / "test_some.py").write_text("def test_that_passes(): pass")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "tests.whole"]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment | {"PYTHONDONTWRITEBYTECODE": "1"})
    assert list(tmp_path.glob("__pycache__/test_some*.pyc"))
