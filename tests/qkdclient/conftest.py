"""A client and a stand-in for the platform."""

import os

import pytest

from qkdclient import Client
from qkdclient.cli.main import main
from tests.qkdclient import platform as stand_in


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("qkdclient.patience.FIRST_PAUSE", 0.02)  # a stand-in is back at once


@pytest.fixture
def platform():
    with stand_in.running() as platform:
        yield platform


@pytest.fixture
def client(platform):
    return Client(platform.url, "key", retry_seconds=60)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder."""
    made = tmp_path / "work"
    made.mkdir()
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def source(folder):
    """A file of five parts."""
    path = folder / "source.bin"
    path.write_bytes(os.urandom(4 * stand_in.PART + 123))
    return path


@pytest.fixture
def run(platform, folder, monkeypatch, capfd):
    """Run the command as a shell does: its exit code, what it wrote, what it said."""
    monkeypatch.setenv("QKD_URL", platform.url)
    monkeypatch.setenv("QKD_API_KEY", "key")

    def run(*arguments):
        capfd.readouterr()
        code = main(arguments)
        return code, *capfd.readouterr()

    return run
