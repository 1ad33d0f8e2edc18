"""The client as a command and as a library, against the platform as ``make run`` starts it."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from apps.stack.configuration import ROOT
from qkdclient import Client, Damaged, Exit, Problem
from qkdclient.api import Api
from qkdclient.cli.examples import EXAMPLES
from qkdseal import CHUNK_SIZE, Envelope, open_bytes
from tests import requirement
from tests.e2e.conftest import eventually

pytestmark = [pytest.mark.e2e]
LARGE = 32 * 2**20 + 12_345  # three parts
PARTS = 16 * 2**20 + 12_345  # two parts, the least that can be interrupted between parts


@pytest.fixture
def client(platform, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Client(f"http://127.0.0.1:{platform.run.port}", platform.first_run["api_key"])


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.bin"
    path.write_bytes(os.urandom(PARTS))
    return path


def encrypted(client, file):
    done = eventually(lambda: client.files.get(file["file_id"]), lambda f: f["status"] != "awaiting_upload")
    assert done["status"] == "encrypted"
    return done


class Cut(Exception):
    """The connection is gone."""


def cutting(monkeypatch, name, after):
    """The ``after``-th call of an API method fails, as when the process is killed there."""
    calls, real = [], getattr(Api, name)

    def cut(self, *arguments, **more):
        calls.append(arguments)
        if len(calls) == after:
            raise Cut
        return real(self, *arguments, **more)

    monkeypatch.setattr(Api, name, cut)
    return calls


@requirement("C1", "C8")
@pytest.mark.parametrize(
    ("size", "local"),
    [
        *((size, local) for size in (0, 1, CHUNK_SIZE) for local in (False, True)),
        (LARGE, False),
        pytest.param(LARGE, True, marks=pytest.mark.slow),
    ],
)
def test_a_file_comes_back(size, local, client, tmp_path):
    path, told = tmp_path / "a.bin", []
    path.write_bytes(os.urandom(size))
    file = client.upload(path, local=local, document_type="report", progress=lambda *at: told.append(at))
    file = encrypted(client, file)
    assert (file["name"], file["document_type"], file["size"]) == ("a.bin", "report", size)
    assert told[-1] == (size, size)
    for decrypted_here in (False, True):
        copy = client.download(file["file_id"], tmp_path / f"copy {decrypted_here}", local=decrypted_here)
        assert copy.read_bytes() == path.read_bytes()
    assert not list(tmp_path.glob(".qkd-*.part"))


def interrupt(monkeypatch, client, source, **options):
    """The second part never comes back."""
    with monkeypatch.context() as patch:
        sent = cutting(patch, "put", after=2)
        with pytest.raises(Cut):
            client.upload(source, **options)
    return sent


@requirement("C8")
def test_an_interrupted_upload_sends_only_what_is_missing(client, source, tmp_path, monkeypatch):
    sent = interrupt(monkeypatch, client, source)
    again = cutting(monkeypatch, "put", after=99)
    file = encrypted(client, client.upload(source))
    assert (len(sent), len(again)) == (2, 1)
    assert client.download(file["file_id"], tmp_path / "copy").read_bytes() == source.read_bytes()


@requirement("C8")
def test_a_file_that_changed_since_is_uploaded_from_the_beginning(client, source, tmp_path, monkeypatch):
    interrupt(monkeypatch, client, source)
    source.write_bytes(os.urandom(PARTS))
    file = encrypted(client, client.upload(source))
    assert client.download(file["file_id"], tmp_path / "copy").read_bytes() == source.read_bytes()


@requirement("C8")
@pytest.mark.parametrize("local", [False, True], ids=["platform", "local"])
@pytest.mark.parametrize("name", ["call", "put"])
def test_however_often_it_is_killed_it_is_one_file(name, local, client, source, tmp_path, monkeypatch):
    for after in range(1, 30):
        with monkeypatch.context() as patch:
            cutting(patch, name, after)
            try:
                file = client.upload(source, local=local, document_type=f"killed-{name}-{local}")
            except Cut:
                continue
            break
    files = client.files.list(document_type=f"killed-{name}-{local}")
    assert [found["file_id"] for found in files] == [file["file_id"]]
    assert client.download(file["file_id"], tmp_path / "copy").read_bytes() == source.read_bytes()


@requirement("C8", "C9")
@pytest.mark.parametrize("local", [False, True], ids=["platform", "local"])
def test_an_interrupted_download_goes_on_where_it_stopped(local, client, source, tmp_path):
    file = encrypted(client, client.upload(source, local=local))

    def stop(done, _total):
        if done > PARTS // 2:
            raise Cut

    with pytest.raises(Cut):
        client.download(file["file_id"], tmp_path / "copy", local=local, progress=stop)
    [part] = tmp_path.glob(".qkd-*.part")
    assert not (tmp_path / "copy").exists()
    there, told = part.stat().st_size, []
    copy = client.download(
        file["file_id"], tmp_path / "copy", local=local, progress=lambda done, _: told.append(done)
    )
    assert there > PARTS // 2 - CHUNK_SIZE * 64
    assert told[0] >= there - CHUNK_SIZE
    assert copy.read_bytes() == source.read_bytes()


@requirement("C9")
def test_a_part_that_was_changed_on_the_disk_is_not_taken_for_the_file(client, source, tmp_path):
    file = encrypted(client, client.upload(source, local=True))

    def stop(done, _total):
        if done > PARTS // 2:
            raise Cut

    with pytest.raises(Cut):
        client.download(file["file_id"], tmp_path / "copy", local=True, progress=stop)
    [part] = tmp_path.glob(".qkd-*.part")
    with part.open("r+b") as changed:
        changed.write(b"changed")
    copy = client.download(file["file_id"], tmp_path / "copy", local=True)
    assert copy.read_bytes() == source.read_bytes()


@requirement("C4")
@pytest.mark.parametrize("local", [False, True], ids=["platform", "local"])
def test_a_passphrase_is_needed(local, client, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("behind a passphrase")
    file = encrypted(client, client.upload(path, local=local, passphrase="correct horse"))
    copy = client.download(file["file_id"], tmp_path / "copy", local=local, passphrase="correct horse")
    assert copy.read_text() == "behind a passphrase"
    for wrong in (None, "wrong horse"):
        with pytest.raises((Problem, Damaged)):
            client.download(file["file_id"], tmp_path / "other", local=local, passphrase=wrong)
    assert not (tmp_path / "other").exists()


@requirement("E6")
def test_the_command_line(platform, client, tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "QKD_URL": f"http://127.0.0.1:{platform.run.port}",
        "QKD_API_KEY": platform.first_run["api_key"],
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": str(ROOT),
    }

    def run(*arguments, **more):
        command = [sys.executable, "-m", "qkdclient", *arguments]
        return subprocess.run(
            command, env=environment | more, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    (tmp_path / "note.txt").write_text("a note")
    made = run(
        "--json", "upload", "note.txt", "--type", "note", "--attribute", "version=1.10", "--attribute", "n:=3"
    )
    assert made.returncode == 0, made.stderr
    file = json.loads(made.stdout)
    assert (file["status"], file["attributes"]) == ("encrypted", {"version": "1.10", "n": 3})
    assert file["file_id"] in run("list", "--type", "note").stdout
    assert run("download", file["file_id"], "-o", "copy.txt", "--local").stdout == "copy.txt\n"
    assert (tmp_path / "copy.txt").read_text() == "a note"
    assert run("download", file["file_id"], "-o", "-").stdout == "a note"
    digest = subprocess.run(
        ["sha256sum", "copy.txt"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run("files", "digest", file["file_id"]).stdout.strip() == digest.stdout.split()[0]
    assert run("download", file["file_id"]).returncode == Exit.EXISTS
    assert "deleted" in run("delete", file["file_id"]).stdout
    refused = run("download", file["file_id"])
    assert (refused.returncode, "Traceback" in refused.stderr) == (Exit.EXISTS, False)
    assert run("files", "get", "none").returncode == Exit.NOT_FOUND
    assert run("list", QKD_API_KEY="").returncode == Exit.USAGE
    assert run("list", QKD_API_KEY="no key").returncode == Exit.FORBIDDEN
    assert run("list", "--retry", "1", QKD_URL="http://127.0.0.1:9").returncode == Exit.UNREACHABLE


@requirement("C2", "H1")
@pytest.mark.parametrize("local", [False, True], ids=["platform", "local"])
def test_what_is_kept_offline_opens_under_its_own_envelope(local, client, tmp_path):
    (tmp_path / "kept.txt").write_text("for ten years")
    file = encrypted(client, client.upload(tmp_path / "kept.txt", local=local))
    kept = client.files.keep(file["file_id"], folder=str(tmp_path))
    header = Envelope.from_bytes(Path(kept["envelope"]).read_bytes()).header
    key = base64.b64decode(client._api.call("POST", f"files/{file['file_id']}/key", {})["key"])
    assert open_bytes(key, header.digest(), Path(kept["body"]).read_bytes()) == b"for ten years"


@requirement("C8")
def test_the_examples_of_the_reference_page_run(platform, tmp_path):
    script = "\n".join(script for _, script in EXAMPLES)
    environment = {
        "PATH": os.environ["PATH"],
        "QKD_URL": f"http://127.0.0.1:{platform.run.port}",
        "QKD_API_KEY": platform.first_run["api_key"],
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": str(ROOT),
    }
    command = f'qkdclient() {{ "{sys.executable}" -m qkdclient "$@"; }}\n{script}'
    folder = tmp_path / "work"
    folder.mkdir()
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for copy in ("copy.txt", "private.txt", "with-passphrase.txt"):
        assert (folder / copy).read_text() == "figures of the year\n"
    digests = [line.split()[0] for line in done.stdout.splitlines() if re.match(r"[0-9a-f]{64}\b", line)]
    assert len(digests) == 2
    assert digests[0] == digests[1]
    assert "attack at dawn\n" in done.stdout
