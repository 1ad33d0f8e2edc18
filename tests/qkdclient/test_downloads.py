"""Downloads: what is on the disk is the file, whatever happened on the way; nothing is overwritten unasked."""

import hashlib
import io
import json
import os
import threading
from pathlib import Path

import pytest

from qkdclient import Busy, Client, Damaged, Exists, Problem, Unfit
from qkdclient.targets import Part
from qkdseal import CHUNK_SIZE
from tests import requirement
from tests.qkdclient.platform import RANGE_LIMIT
from tests.qkdclient.test_uploads import MODES, Cut
from tests.waiting import LIMIT_SECONDS

CONTENT = os.urandom(5 * RANGE_LIMIT + 123)
HALF = len(CONTENT) // 2


@pytest.fixture
def stored(platform, folder):
    return platform.put_file(CONTENT)


def here():
    return sorted(path.name for path in Path().iterdir())


def interrupt(client, stored, *, at=HALF, **options):
    def stop(done, _total):
        if done >= at:
            raise Cut

    with pytest.raises(Cut):
        client.download(stored.file_id, "copy", progress=stop, **options)
    [part] = Path().glob(".qkd-*.part")
    assert not Path("copy").exists()
    return part


@requirement("C9")
@MODES
@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE, RANGE_LIMIT, 3 * RANGE_LIMIT + 1])
def test_a_file_comes_back(size, local, client, platform, folder):
    stored, told = platform.put_file(os.urandom(size)), []
    path = client.download(stored.file_id, local=local, progress=lambda *at: told.append(at))
    assert path.read_bytes() == stored.content
    assert told[-1] == (size, size)
    assert here() == ["a.bin"]


@requirement("C9")
@MODES
def test_an_interrupted_download_goes_on_where_it_stopped(local, client, platform, stored):
    part = interrupt(client, stored, local=local)
    there, told = part.stat().st_size, []
    client.download(stored.file_id, "copy", local=local, progress=lambda done, _: told.append(done))
    assert there >= len(CONTENT) // 2
    assert told[0] > there - CHUNK_SIZE
    assert Path("copy").read_bytes() == CONTENT


@requirement("C9")
@MODES
@pytest.mark.parametrize("how", ["zeros", "first byte", "longer", "cut in a chunk"])
def test_a_part_that_is_not_the_file_is_not_taken_for_it(how, local, client, platform, stored):
    part = interrupt(client, stored, local=local)
    there = part.read_bytes()
    part.write_bytes(
        {
            "zeros": bytes(len(CONTENT)),
            "first byte": b"?" + there[1:],
            "longer": there + bytes(len(CONTENT)),
            "cut in a chunk": there[: len(there) // 2 + 5],
        }[how]
    )
    assert client.download(stored.file_id, "copy", local=local).read_bytes() == CONTENT


@requirement("C9")
@MODES
def test_what_is_not_what_was_stored_leaves_no_file(local, client, platform, stored):
    platform.wrong_bytes = True
    stored.body = stored.body[:-1] + bytes([stored.body[-1] ^ 1])
    with pytest.raises(Damaged, match=r"a\.bin is not what was stored"):
        client.download(stored.file_id, "copy", local=local)
    assert here() == []


@requirement("C9")
@MODES
def test_what_the_disk_changed_is_found(local, client, platform, stored, monkeypatch):
    real = Part.write
    monkeypatch.setattr(Part, "write", lambda self, piece: real(self, bytes(len(piece))))
    with pytest.raises(Damaged):
        client.download(stored.file_id, "copy", local=local)
    assert here() == []


@requirement("C9")
@MODES
def test_two_downloads_to_one_path_do_not_mix(local, client, platform, stored):
    began, go_on = threading.Event(), threading.Event()

    def wait(_done, _total):
        began.set()
        go_on.wait(LIMIT_SECONDS)

    options = {"local": local, "progress": wait}
    other = threading.Thread(target=client.download, args=(stored.file_id, "copy"), kwargs=options)
    other.start()
    assert began.wait(LIMIT_SECONDS)
    with pytest.raises(Busy, match="copy"):
        client.download(stored.file_id, "copy", local=local)
    go_on.set()
    other.join()
    assert Path("copy").read_bytes() == CONTENT


@requirement("C9")
def test_a_file_that_is_replaced_meanwhile_is_never_mixed(client, platform, stored):
    newer = os.urandom(len(CONTENT))

    def replace(done, _total):
        if done < len(CONTENT) and stored.version == 1:
            stored.version = 2
            platform._seal(stored, newer)

    client.download(stored.file_id, "copy", progress=replace)
    assert Path("copy").read_bytes() == newer
    assert here() == ["copy"]


@requirement("C9")
def test_nothing_is_overwritten_that_nobody_named(client, platform, folder):
    stored = platform.put_file(b"theirs", name=".bashrc")
    Path(".bashrc").write_text("mine")
    for output in (None, folder, f"{folder}/"):
        with pytest.raises(Exists, match=r"\.bashrc exists"):
            client.download(stored.file_id, output)
    assert Path(".bashrc").read_text() == "mine"
    client.download(stored.file_id, ".bashrc")
    assert Path(".bashrc").read_text() == "theirs"
    Path(".bashrc").write_text("mine")
    client.download(stored.file_id, overwrite=True)
    assert Path(".bashrc").read_text() == "theirs"


@requirement("C9")
def test_a_file_that_comes_meanwhile_is_not_overwritten(client, platform, stored):
    def come(_done, _total):
        Path("a.bin").write_text("mine")

    with pytest.raises(Exists):
        client.download(stored.file_id, progress=come)
    assert Path("a.bin").read_text() == "mine"


@requirement("C9")
def test_a_file_system_without_hard_links_does(client, platform, stored, monkeypatch):
    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert client.download(stored.file_id).read_bytes() == CONTENT
    with pytest.raises(Exists):
        client.download(stored.file_id)


@requirement("C9")
@pytest.mark.parametrize("name", ["n" * 236, "n" * 255, "n" * 400 + ".bin", "../../x", "a\x1b[2J\u202eb"])
def test_every_name_can_be_downloaded(name, client, platform, folder):
    stored = platform.put_file(b"content", name=name)
    path = client.download(stored.file_id)
    assert (path.read_bytes(), path.parent) == (b"content", Path())
    assert len(here()) == 1


@requirement("C9")
def test_what_was_secret_is_for_its_owner_only(client, platform, stored):
    assert client.download(stored.file_id).stat().st_mode & 0o777 == 0o600
    assert client.download(stored.file_id, "shared", mode=0o644).stat().st_mode & 0o777 == 0o644


@requirement("C9")
def test_a_part_is_for_its_owner_only(client, platform, stored):
    assert interrupt(client, stored).stat().st_mode & 0o777 == 0o600


@requirement("C9")
def test_a_pipe_or_device_is_written_to_and_not_replaced(client, platform, stored):
    os.mkfifo("pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()))
    reader.start()
    client.download(stored.file_id, "pipe")
    reader.join()
    assert got == [CONTENT]
    assert Path("pipe").is_fifo()


@requirement("C9")
def test_a_link_is_followed_and_stays(client, platform, stored):
    Path("real").write_text("old")
    Path("link").symlink_to("real")
    client.download(stored.file_id, "link")
    assert Path("link").is_symlink()
    assert Path("real").read_bytes() == CONTENT


@requirement("C9")
@MODES
@pytest.mark.parametrize("how", ["before", "half", "503"])
def test_broken_connections_are_taken_up(how, local, client, platform, stored):
    platform.lose("GET", r"/content$|/store/", how, times=3)
    assert client.download(stored.file_id, "copy", local=local).read_bytes() == CONTENT
    out = io.BytesIO()
    platform.lose("GET", r"/content$|/store/", how, times=3)
    client.files.write_to(stored.file_id, out, local=local)
    assert out.getvalue() == CONTENT


@requirement("C9")
@MODES
def test_a_stream_that_is_not_the_file_is_reported(local, client, platform, stored):
    platform.wrong_bytes = True
    stored.body = stored.body[:-1] + bytes([stored.body[-1] ^ 1])
    with pytest.raises(Damaged):
        client.files.write_to(stored.file_id, io.BytesIO(), local=local)


@requirement("C9")
def test_a_stream_of_a_file_that_is_replaced_meanwhile_is_never_mixed(client, platform, stored):
    def replace(done, _total):
        if done < len(CONTENT) and stored.version == 1:
            stored.version = 2
            platform._seal(stored, bytes(len(CONTENT)))

    out = io.BytesIO()
    with pytest.raises(Damaged, match="replaced while it was written"):
        client.files.write_to(stored.file_id, out, progress=replace)
    assert CONTENT.startswith(out.getvalue())


@requirement("C9", "H1")
@pytest.mark.parametrize("how", ["before", "half", "503", None])
def test_a_file_is_kept_as_it_is_stored(how, client, platform, stored):
    if how:
        platform.lose("GET", "/store/", how, times=2)
    kept = client.files.keep(stored.file_id)
    assert kept == {"body": "a.bin.body", "envelope": "a.bin.envelope.json"}
    assert Path("a.bin.body").read_bytes() == stored.body
    assert json.loads(Path("a.bin.envelope.json").read_text()) == {"header": {}}
    assert here() == ["a.bin.body", "a.bin.envelope.json"]
    with pytest.raises(Exists):
        client.files.keep(stored.file_id)


@requirement("C9")
def test_the_digest_is_what_people_know(client, platform, stored):
    assert client.files.digest(stored.file_id) == hashlib.sha256(CONTENT).hexdigest()


@requirement("C9")
@MODES
def test_without_a_digest_no_part_is_trusted(local, client, platform, stored):
    part = interrupt(client, stored, local=local)
    part.write_bytes(bytes(part.stat().st_size))
    stored.sha256 = None
    assert client.download(stored.file_id, "copy", local=local).read_bytes() == CONTENT


@requirement("C9")
def test_a_full_disk_says_so_and_what_has_arrived_stays(client, platform, stored, monkeypatch):
    real, left = os.write, [HALF]

    def full(descriptor, view):
        if left[0] <= 0:
            raise OSError(28, "No space left on device")
        written = real(descriptor, view[: left[0]])
        left[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr("qkdclient.targets.os.write", full)
        with pytest.raises(Unfit, match="No space left on device"):
            client.download(stored.file_id, "copy")
    assert not Path("copy").exists()
    told = []
    client.download(stored.file_id, "copy", progress=lambda done, _: told.append(done))
    assert told[0] > len(CONTENT) // 2
    assert Path("copy").read_bytes() == CONTENT


@requirement("C9")
def test_a_part_whose_name_was_given_before_a_kill_is_let_go(client, platform, stored):
    part = interrupt(client, stored)
    part.write_bytes(CONTENT)
    os.link(part, "copy")
    stored.version = 1
    client.download(stored.file_id, "copy")
    assert (Path("copy").read_bytes(), here()) == (CONTENT, ["copy"])


def test_a_server_that_sends_on_is_not_followed_with_the_key(platform, folder):
    platform.faults.append(lambda *_: "302")
    with pytest.raises(Problem, match="another address"):
        Client(platform.url, "key").files.get("f0")
