"""A platform is backed up and restored elsewhere, as docs/operations.md tells it (G5)."""

import json
import os
import shlex
import subprocess

import pytest

from apps.stack.configuration import ROOT
from qkdseal.__main__ import main as qkdseal
from tests import requirement
from tests.e2e.conftest import Platform, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def made(target, folder, **values):
    """``make <target>``; what it said."""
    words = ["make", "-s", target, *(f"{name}={value}" for name, value in values.items())]
    done = subprocess.run(
        [*words, f"LOCAL_DIR={folder}"], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def managed(platform, command):
    place = {"LOCAL_DIR": platform.folder, "PORT": platform.run.port, "AWS_PORT": platform.run.aws_port}
    given = [f"{name}={value}" for name, value in place.items()]
    done = subprocess.run(
        ["make", "-s", "manage", f"DO={shlex.quote(command)[1:-1]}", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@requirement("G5", "I3")
def test_a_platform_comes_back_from_its_backup_with_files_users_and_trail(tmp_path, capsys):
    assert qkdseal(["recipient", "-o", str(tmp_path / "me.json")]) == 0
    (tmp_path / "public.json").write_text(capsys.readouterr().out)
    platform = Platform(tmp_path / "local")
    try:
        content = os.urandom(300_000)
        file_id = platform.upload("report.bin", content)
        eventually(lambda: platform.get(f"files/{file_id}")["status"], lambda status: status == "encrypted")
        message = platform.post("encrypt", {"plaintext": "before"})
        assert "alice" in managed(platform, "person admit alice --role operator")
    finally:
        platform.stop()
    backup = tmp_path / "monday.backup"
    assert "SHA-256" in made("backup", platform.folder, TO=tmp_path / "public.json", OUT=backup)
    assert content not in backup.read_bytes()

    fresh = tmp_path / "elsewhere" / "local"
    assert "restored into" in made("restore", fresh, BACKUP=backup, KEY=tmp_path / "me.json")
    again = Platform(fresh)
    try:
        assert again.first_run == platform.first_run
        assert again.downloaded(file_id) == content
        assert again.post("decrypt", message)["plaintext"] == "before"
        assert again.post("decrypt", again.post("encrypt", {"plaintext": "after"}))["plaintext"] == "after"
        assert "alice" in managed(again, "person list")
        verified = managed(again, "verify_audit --records")
        assert "OK:" in verified, verified
        closed = again.get("audit?event=stock.withdrawn&limit=50")["items"]
        assert closed, "quantum keys of the backup are set aside"
    finally:
        again.stop()
    assert not (fresh / "restored.json").exists()
    print(json.dumps({"backup_bytes": backup.stat().st_size}))  # noqa: T201 - a figure of the docs
