"""Uploads: each byte once, in order; one id whatever happens between; never something torn or mixed."""

import os
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from apps.stack.configuration import ROOT
from qkdclient import Busy, Changed, Client, Damaged, Unfit
from qkdclient.api import Api
from qkdclient.sending import PartsSink
from qkdclient.state import UploadState
from tests import requirement
from tests.qkdclient.platform import PART
from tests.waiting import LIMIT_SECONDS

MODES = pytest.mark.parametrize("local", [False, True], ids=["platform", "local"])


class Cut(Exception):
    """The process ends here."""


def cutting(monkeypatch, name, after):
    """The ``after``-th call of an API method never comes back, as when the process is killed there."""
    calls, real = [], getattr(Api, name)

    def cut(self, *arguments, **more):
        calls.append(arguments)
        if len(calls) == after:
            raise Cut
        return real(self, *arguments, **more)

    monkeypatch.setattr(Api, name, cut)
    return calls


def interrupt(monkeypatch, client, path, *, name="put", after=3, **options):
    with monkeypatch.context() as patch:
        cutting(patch, name, after)
        with pytest.raises(Cut):
            client.upload(path, **options)


@requirement("C8")
@pytest.mark.parametrize("size", [1, 9, 10, 11, 20, 35])
@pytest.mark.parametrize("write_size", [1, 7, 10, 64])
def test_what_is_written_arrives_in_parts_of_one_size(size: int, write_size: int) -> None:
    content, sent = bytes(range(size)), list[tuple[int, bytes]]()
    sink = PartsSink(lambda number, part: sent.append((number, part)), 10)
    for start in range(0, size, write_size):
        sink.write(memoryview(content[start : start + write_size]))
    sink.send_rest()
    assert b"".join(part for _, part in sent) == content
    assert [number for number, _ in sent] == list(range(1, -(-size // 10) + 1))
    assert all(len(part) == 10 for _, part in sent[:-1])


@requirement("C8")
@MODES
@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART])
def test_a_file_arrives(size, local, client, platform, folder):
    path, told = folder / "a.bin", []
    path.write_bytes(os.urandom(size))
    file = client.upload(path, local=local, progress=lambda *at: told.append(at))
    assert platform.files[file["file_id"]].content == path.read_bytes()
    assert (file["status"], told[-1] if told else (0, 0)) == ("encrypted", (size, size))


@requirement("C8")
def test_an_interrupted_upload_sends_only_what_is_missing(client, platform, source, monkeypatch):
    interrupt(monkeypatch, client, source)
    before = platform.counts["put"]
    file = client.upload(source)
    assert platform.counts["put"] - before == 3
    assert platform.files[file["file_id"]].content == source.read_bytes()
    assert len(platform.files) == 1


@requirement("C8")
@pytest.mark.parametrize(
    "other",
    [
        {"passphrase": "correct horse"},
        {"document_type": "report"},
        {"attributes": {"pages": 3}},
        {"name": "other.bin"},
        {"local": True},
    ],
    ids=lambda other: next(iter(other)),
)
def test_an_upload_that_was_asked_otherwise_is_another(other, client, platform, source, monkeypatch):
    interrupt(monkeypatch, client, source)
    file = client.upload(source, **other)
    about = platform.files[file["file_id"]].about
    assert all(about[name] == value for name, value in other.items() if name != "local")
    assert platform.files[file["file_id"]].content == source.read_bytes()


@requirement("C8")
def test_another_server_or_key_does_not_continue_it(client, platform, source, monkeypatch):
    interrupt(monkeypatch, client, source)
    continues: list[bool] = []

    def look(_api, state):
        continues.append(state.earlier is not None)
        raise Cut

    monkeypatch.setattr("qkdclient.uploads.take_up", look)
    for url, key in ((platform.url, "other"), ("http://localhost:9", "key"), (platform.url + "/", "key")):
        with pytest.raises(Cut):
            Client(url, key).upload(source)
    assert continues == [False, False, True]


@requirement("C8")
def test_two_uploads_of_one_file_at_once_do_not_share_it(client, platform, source):
    began, go_on = threading.Event(), threading.Event()

    def wait(_done, _total):
        began.set()
        go_on.wait(LIMIT_SECONDS)

    other = threading.Thread(target=lambda: client.upload(source, progress=wait))
    other.start()
    assert began.wait(LIMIT_SECONDS)
    with pytest.raises(Busy):
        client.upload(source)
    go_on.set()
    other.join()
    assert len(platform.files) == 1
    client.upload(source)
    assert len(platform.files) == 2


@requirement("C8")
@MODES
def test_a_pipe_is_read_to_its_end(local, client, platform, folder):
    content = os.urandom(2 * PART + 7)
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=lambda: (folder / "pipe").write_bytes(content))
    writer.start()
    file = client.upload(folder / "pipe", local=local)
    writer.join()
    assert platform.files[file["file_id"]].content == content


@requirement("C8")
@MODES
def test_a_file_of_proc_is_read_to_its_end(local, client, platform):
    file = client.upload("/proc/self/cmdline", local=local)
    assert b"python" in platform.files[file["file_id"]].content


@requirement("C8")
def test_standard_input_is_read_as_it_comes(client, platform, folder):
    content = os.urandom(3 * PART)
    code = f"from qkdclient import Client; Client('{platform.url}', 'key').upload('-', name='piped')"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, env=environment) as feeder:
        assert feeder.stdin
        for start in range(0, len(content), 10_000):
            feeder.stdin.write(content[start : start + 10_000])
        feeder.stdin.close()
        assert feeder.wait(LIMIT_SECONDS) == 0
    [stored] = platform.files.values()
    assert (stored.content, stored.about["name"]) == (content, "piped")


@requirement("C8")
def test_what_is_no_file_is_refused_by_name(client, platform, folder):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        for path in (folder, folder / "socket", "/dev/zero", folder / "missing"):
            with pytest.raises(Unfit, match=str(path)):
                client.upload(path)
    assert not platform.requests


@requirement("C8")
def test_a_name_that_is_no_text_is_refused_clearly(client, platform, folder):
    path = folder / os.fsdecode(b"caf\xe9")
    path.write_bytes(b"x")
    with pytest.raises(Unfit, match=r"caf\\udce9 is not UTF-8"):
        client.upload(path)
    assert client.upload(path, name="café")["name"] == "café"


@requirement("C8")
@MODES
@pytest.mark.parametrize("how", ["append", "overwrite", "truncate", "same size and time"])
def test_a_file_that_changes_meanwhile_is_not_stored(how, local, client, platform, source):
    def change(done, _total):
        if done == 0 or changed:
            return
        changed.append(True)
        found = source.stat()
        with source.open("r+b") as out:
            if how == "append":
                out.seek(0, 2)
            if how == "truncate":
                out.truncate(3 * PART)
            out.write(b"changed")
        if how == "same size and time":
            os.utime(source, ns=(found.st_atime_ns, found.st_mtime_ns))

    changed = []
    with pytest.raises(Changed, match=r"source\.bin"):
        client.upload(source, local=local, progress=change)
    assert [file.status for file in platform.files.values()] == ["rejected"]
    file = client.upload(source, local=local)
    assert platform.files[file["file_id"]].content == source.read_bytes()


@requirement("C8")
def test_a_file_that_changed_since_is_uploaded_from_the_beginning(client, platform, source, monkeypatch):
    interrupt(monkeypatch, client, source)
    before = source.stat()
    source.write_bytes(os.urandom(before.st_size))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))  # only the inode's own time tells
    file = client.upload(source)
    assert platform.files[file["file_id"]].content == source.read_bytes()
    assert not platform.waiting()


@requirement("C8")
@MODES
@pytest.mark.parametrize("how", ["before", "after", "503"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", r"files$"),
        ("POST", r"/parts$"),
        ("PUT", r"/2$"),
        ("POST", r"/complete$"),
        ("POST", r"/finish$"),
        ("POST", r"/digest$"),
    ],
    ids=lambda text: text.strip("/$"),
)
def test_no_lost_answer_makes_another_file(method, path, how, local, client, platform, source):
    platform.lose(method, path, how, times=2)
    file = client.upload(source, local=local)
    assert file["status"] == "encrypted"
    assert platform.files[file["file_id"]].content == source.read_bytes()
    assert len(platform.files) == 1


@requirement("C8")
@MODES
@pytest.mark.parametrize("name", ["call", "put"])
@pytest.mark.parametrize("size", [0, 1, None])
def test_however_often_it_is_killed_it_is_one_file(name, local, size, client, platform, source, monkeypatch):
    if size is not None:
        source.write_bytes(bytes(size))
    for after in range(1, 25):
        with monkeypatch.context() as patch:
            cutting(patch, name, after)
            try:
                client.upload(source, local=local)
            except Cut:
                continue
            break
    else:
        pytest.fail("it never came to an end")
    assert [stored.content for stored in platform.files.values()] == [source.read_bytes()]


@requirement("C8")
def test_one_that_is_still_awaited_is_waited_for_and_not_sent_again(client, platform, source):
    platform.encrypts = False
    first = client.upload(source, wait_seconds=0)
    assert first["status"] == "awaiting_upload"
    sent = platform.counts["put"]
    assert client.upload(source, wait_seconds=0)["file_id"] == first["file_id"]
    platform.encrypts = True
    platform.encrypt(platform.files[first["file_id"]])
    second = client.upload(source)
    assert (second["file_id"], second["status"]) == (first["file_id"], "encrypted")
    assert platform.counts["put"] == sent
    assert client.upload(source)["file_id"] != first["file_id"]  # acknowledged: the next is another


@requirement("C8")
@pytest.mark.parametrize("what", ["file", "parts", "both"])
def test_what_the_platform_no_longer_knows_is_dropped(what, client, platform, source, monkeypatch):
    interrupt(monkeypatch, client, source)
    [stored] = platform.files.values()
    if what == "parts":
        stored.status = "rejected"
    else:
        platform.files.clear()
    if what == "both":
        platform.announced.clear()
    if what == "file":
        platform.lose("POST", r"files$", "409")
    file = client.upload(source)
    assert platform.files[file["file_id"]].content == source.read_bytes()


@requirement("C8")
def test_parts_that_are_lost_between_sending_and_joining_are_sent_again(
    client, platform, source, monkeypatch
):
    def lose(self, *, size, sha256):
        real(self, size=size, sha256=sha256)
        if not lost:
            lost.append(True)
            platform.files[self.upload.file_id].parts.clear()

    lost, real = [], UploadState.sent
    monkeypatch.setattr(UploadState, "sent", lose)
    file = client.upload(source)
    assert platform.files[file["file_id"]].content == source.read_bytes()


@requirement("C8")
def test_what_was_stored_otherwise_than_it_was_read_is_reported(client, platform, source, monkeypatch):
    monkeypatch.setattr(platform, "encrypt", lambda stored: platform._seal(stored, bytes(len(stored.body))))
    with pytest.raises(Damaged, match="not what was read"):
        client.upload(source)


@requirement("C8")
def test_a_restart_of_the_server_is_waited_out(platform, source, monkeypatch):
    """Each try takes a second of the client's clock."""
    now = [1000.0]

    def sleep(seconds):
        now[0] += seconds + 1

    monkeypatch.setattr("qkdclient.patience.time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    answers, told = ["503"] * 4, list[str]()
    platform.faults.append(lambda *_: answers.pop() if answers else None)
    client = Client(platform.url, "key", retry_seconds=LIMIT_SECONDS, tell=told.append)
    file = client.upload(source)
    assert platform.files[file["file_id"]].content == source.read_bytes()
    assert len(told) == 1
    assert platform.url in told[0]


@requirement("C8")
def test_the_state_holds_neither_passphrase_nor_key(client, source, monkeypatch, tmp_path):
    for local in (False, True):
        interrupt(monkeypatch, client, source, passphrase="correct horse", local=local)
    kept = [file for file in (tmp_path / "state").rglob("*") if file.is_file()]
    assert kept
    for file in kept:
        assert b"correct" not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0
        assert set("correct horse") & set(file.stem) <= set("0123456789abcdef")
