"""Objects of gigabytes take no more memory than small ones."""

import json
import subprocess
import sys

import pytest

from apps.stack.configuration import ROOT
from tests import requirement

MIB = 2**20


@requirement("C9")
@pytest.mark.parametrize(
    "size",
    [
        300 * MIB + 1,
        pytest.param(5 * 1024 * MIB, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
    ids=["300-MiB", "5-GiB"],
)
def test_an_object_of_any_size_takes_less_than_60_mib_above_idle(size):
    command = [sys.executable, "-m", "tests.files.streaming", str(size)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["size"] == size
    assert measured["above_idle"] <= 60 * MIB
