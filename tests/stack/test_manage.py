"""Management commands for the local platform: its settings, and refusals that say what to do."""

import os
import subprocess
import sys

import pytest

from apps.stack import layout
from apps.stack.configuration import ROOT


@pytest.fixture
def folder(tmp_path):
    """What a first run leaves, as far as commands need it."""
    layout.make(tmp_path)
    layout.own_secrets(tmp_path)
    for name in (layout.DATABASE, layout.ROOT_KEY):
        (tmp_path / name).touch()
    return tmp_path


def managed(folder, *command, **environment):
    return subprocess.run(
        [sys.executable, "-m", "apps.stack.manage", *command],
        cwd=ROOT,
        env=os.environ | {"LOCAL_DIR": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_has_the_settings_of_the_platform(folder):
    shown = managed(folder, "diffsettings", AWS_PORT="4577")
    assert shown.returncode == 0, shown.stderr
    assert str(folder / layout.DATABASE) in shown.stdout
    assert "AWS_ENDPOINT_URL = 'http://127.0.0.1:4577'" in shown.stdout


def test_where_there_is_no_platform_nothing_is_made(tmp_path):
    refused = managed(tmp_path / "nowhere", "check")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "make run" in refused.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_lost_root_key_is_not_made_anew_by_a_command(folder):
    (folder / layout.ROOT_KEY).unlink()
    refused = managed(folder, "root_key", "status")
    assert refused.returncode == 1
    assert "recovery" in refused.stderr
    assert not (folder / layout.ROOT_KEY).exists()


def test_a_bad_port_is_named(folder):
    assert "PORT" in managed(folder, "check", PORT="many").stderr
