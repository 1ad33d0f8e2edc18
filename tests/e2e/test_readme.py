"""What README tells a newcomer to type, typed."""

import re
import subprocess

import pytest

from apps.stack.configuration import ROOT
from tests import requirement

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@requirement("H2")
def test_the_commands_of_readme_do_what_it_says(platform, tmp_path):
    readme = (ROOT / "README.md").read_text()
    commands = re.search(r"tests/e2e/test_readme.py -->\n```sh\n(.*?)```", readme, re.DOTALL)
    assert commands
    (tmp_path / ".local").symlink_to(platform.folder)
    (tmp_path / "README.md").write_text(readme)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands[1]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ready, tapped, reasons, message, status, same = done.stdout.splitlines()
    assert (ready, tapped, status, same) == ("ready", "compromised", "encrypted", "the same bytes")
    assert "qber_above_threshold" in reasons
    assert '"plaintext":"attack at dawn"' in message
