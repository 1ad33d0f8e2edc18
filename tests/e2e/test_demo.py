"""`make demo` does what docs/demo.md shows."""

import os
import re
import subprocess

import pytest

from apps.stack.configuration import ROOT
from tests import requirement

SCRIPT = (ROOT / "deploy/demo.sh").read_text()


@requirement("H2")
def test_the_transcript_in_the_docs_is_of_this_script():
    shown = [line for line in (ROOT / "docs/demo.md").read_text().splitlines() if line.startswith("$ ")]
    assert shown == [f"$ {command}" for command in re.findall(r"(?m)^run '(.*)'$", SCRIPT)]


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(600)
@requirement("H2")
def test_the_demonstration_runs_to_its_end(platform):
    done = subprocess.run(
        ["bash", "deploy/demo.sh"],
        cwd=ROOT,
        env=os.environ | {"LOCAL_DIR": str(platform.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("the same bytes\n") == 2
    assert "attack at dawn" in done.stdout
    assert "'whole': True" in done.stdout
