"""Folders, up and down: only what changed, nothing of somebody's work overwritten, names kept below one folder."""

import contextlib
import json
import os
from pathlib import Path

import pytest

from qkdclient import Busy, Exists, Exit, Unfit
from qkdclient.folders import files_in
from tests import requirement
from tests.qkdclient.test_uploads import MODES, Cut, cutting


@pytest.fixture
def tree(folder):
    """A folder with folders in it."""
    made = folder / "tree"
    for name in ("a.txt", "2024/report.pdf", "2025/report.pdf", "2025/build/x.o", "empty"):
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty" else f"content of {name}".encode())
    return made


def content(folder: Path) -> dict[str, bytes]:
    return {path: file.read_bytes() for path, file in files_in(folder)}


@requirement("C8")
@MODES
def test_a_folder_goes_up_and_comes_down(local, client, tree):
    up = client.sync.up(tree, local=local)
    assert (sorted(up.sent), up.failed) == (sorted(content(tree)), {})
    down = client.sync.down("tree", "copy", local=local)
    assert (sorted(down.received), down.failed) == (sorted(content(tree)), {})
    assert content(Path("copy")) == content(tree)
    assert {file.stat().st_mode & 0o777 for _, file in files_in(Path("copy"))} == {0o600}


@requirement("C8")
@MODES
def test_only_what_changed_is_sent(local, client, platform, tree):
    client.sync.up(tree, local=local)
    client.sync.down("tree", "copy", local=local)
    sent, asked = platform.counts["put"], len(platform.requests)
    assert sorted(client.sync.up(tree, local=local).unchanged) == sorted(content(tree))
    assert len(platform.requests) == asked + 1  # the list alone: what is known is not asked for again
    (tree / "a.txt").write_text("changed")
    (tree / "new").write_text("new")
    assert sorted(client.sync.up(tree, local=local).sent) == ["a.txt", "new"]
    assert platform.counts["put"] == sent + 2
    down = client.sync.down("tree", "copy", local=local)
    assert (sorted(down.received), len(down.unchanged)) == (["a.txt", "new"], 4)
    assert content(Path("copy")) == content(tree)


@requirement("C8")
def test_a_change_that_no_time_tells_is_found(client, tree):
    client.sync.up(tree)
    file = tree / "a.txt"
    before = file.stat()
    file.write_bytes(b"?" * before.st_size)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert client.sync.up(tree).sent == ["a.txt"]


@requirement("C8")
def test_without_what_was_kept_nothing_is_sent_twice(client, platform, tree, tmp_path):
    client.sync.up(tree)
    for kept in (tmp_path / "state").rglob("*.json"):
        kept.unlink()
    report = client.sync.up(tree)
    assert (report.sent, len(report.unchanged)) == ([], 5)


@requirement("C8")
def test_a_changed_file_is_the_next_version(client, platform, tree):
    client.sync.up(tree)
    ids = {stored.about["source_path"]: stored.file_id for stored in platform.encrypted()}
    (tree / "a.txt").write_text("changed")
    client.sync.up(tree)
    stored = platform.files[ids["tree/a.txt"]]
    assert (stored.version, stored.content) == (2, b"changed")


@requirement("C8")
def test_what_was_changed_here_is_not_overwritten(client, platform, tree):
    client.sync.up(tree)
    client.sync.down("tree", "copy")
    (tree / "a.txt").write_text("changed there")
    client.sync.up(tree)
    Path("copy/a.txt").write_text("changed here")
    report = client.sync.down("tree", "copy")
    assert isinstance(report.failed["a.txt"], Exists)
    assert Path("copy/a.txt").read_text() == "changed here"
    assert client.sync.down("tree", "copy", overwrite=True).received == ["a.txt"]
    assert Path("copy/a.txt").read_text() == "changed there"


@requirement("C8")
def test_a_file_that_was_here_before_is_not_overwritten(client, tree):
    client.sync.up(tree)
    Path("copy").mkdir()
    Path("copy/a.txt").write_text("mine")
    report = client.sync.down("tree", "copy")
    assert (list(report.failed), len(report.received)) == (["a.txt"], 4)
    assert Path("copy/a.txt").read_text() == "mine"


@requirement("C8")
def test_what_is_gone_is_deleted_only_when_asked(client, platform, tree):
    client.sync.up(tree)
    client.sync.down("tree", "copy")
    (tree / "a.txt").unlink()
    (tree / "empty").unlink()
    assert client.sync.up(tree).deleted == []
    assert sorted(client.sync.up(tree, delete=True).deleted) == ["a.txt", "empty"]
    Path("copy/a.txt").write_text("changed here")
    Path("copy/mine").write_text("never there")
    assert client.sync.down("tree", "copy").deleted == []
    report = client.sync.down("tree", "copy", delete=True)
    assert (report.deleted, list(report.failed)) == (["empty"], ["a.txt"])
    assert Path("copy/mine").exists()
    assert Path("copy/a.txt").exists()


@requirement("C8")
def test_a_deleted_file_is_sent_again(client, platform, tree):
    client.sync.up(tree)
    [stored] = [stored for stored in platform.encrypted() if stored.about["source_path"] == "tree/a.txt"]
    stored.status = "deleted"
    assert client.sync.up(tree).sent == ["a.txt"]


@requirement("C8")
@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["*.o"], {"a.txt", "2024/report.pdf", "2025/report.pdf", "empty"}),
        (["build/"], {"a.txt", "2024/report.pdf", "2025/report.pdf", "empty"}),
        (["2025/*"], {"a.txt", "2024/report.pdf", "empty"}),
        (["report.pdf", "x.o"], {"a.txt", "empty"}),
        (["2024", "2025"], {"a.txt", "empty"}),
    ],
)
def test_patterns_leave_files_out(patterns, left, client, tree):
    assert set(client.sync.up(tree, exclude=patterns).sent) == left


@requirement("C8")
def test_links_and_pipes_and_parts_are_left_out(client, tree):
    (tree / "link").symlink_to("/etc/passwd")
    (tree / "folder").symlink_to("/etc")
    os.mkfifo(tree / "pipe")
    (tree / ".qkd-0123.part").write_text("half")
    assert len(client.sync.up(tree).sent) == 5


@requirement("C8")
@pytest.mark.parametrize("name", ["tree/../../escaped", "tree//etc/escaped", "tree/out/escaped", "tree/.."])
def test_no_name_leads_out_of_the_folder(name, client, platform, folder):
    outside = folder / "outside"
    outside.mkdir()
    (folder / "copy").mkdir()
    (folder / "copy" / "out").symlink_to(outside)
    platform.put_file(b"theirs", source_path=name)
    client.sync.down("tree", folder / "copy")
    assert not list(outside.iterdir())
    assert not [path for path in folder.rglob("escaped") if folder / "copy" not in path.parents]


@requirement("C8")
def test_one_failure_stops_no_other(client, platform, tree):
    (tree / os.fsdecode(b"caf\xe9")).write_bytes(b"x")
    (tree / "2024" / "locked").write_bytes(b"x")
    platform.faults.append(lambda method, path, _: "400" if (method, path) == ("PUT", "x") else None)
    report = client.sync.up(tree)
    assert len(report.sent) == 6
    [failed] = report.failed.values()
    assert isinstance(failed, Unfit)


@requirement("C8")
def test_two_at_once_do_not_mix(client, tree, monkeypatch):
    def again(_label):
        with pytest.raises(Busy):
            client.sync.up(tree)
        return lambda _done, _total: None

    client.sync.up(tree, track=again, jobs=1)


@requirement("C8")
@MODES
def test_however_often_it_is_killed_every_file_is_there_once(local, client, platform, tree, monkeypatch):
    for after in range(1, 60):
        with monkeypatch.context() as patch:
            cutting(patch, "call", after)
            try:
                report = client.sync.up(tree, local=local, jobs=1)
            except Cut:
                continue
            if not report.failed:
                break
    assert {f.about["source_path"]: f.content for f in platform.encrypted()} == {
        f"tree/{path}": data for path, data in content(tree).items()
    }
    assert len(platform.encrypted()) == 5
    assert not platform.waiting()


@requirement("C8")
@MODES
def test_however_often_a_changed_folder_is_killed_no_earlier_file_stays(
    local, client, platform, tree, monkeypatch
):
    client.sync.up(tree, local=local)
    for after in range(1, 20):
        (tree / "a.txt").write_text(f"change {after}")
        (tree / "empty").write_text(f"change {after}")
        with monkeypatch.context() as patch, contextlib.suppress(Cut):
            calls = cutting(patch, "call", after)
            client.sync.up(tree, local=local, jobs=1)
        if len(calls) < after:
            break  # it was not killed: it makes no more calls
    else:
        pytest.fail("it makes more calls than were tried")
    client.sync.up(tree, local=local)
    found = sorted((f.about["source_path"], f.content) for f in platform.encrypted())
    assert found == sorted((f"tree/{path}", data) for path, data in content(tree).items())


@requirement("C8")
def test_the_command_sums_up_and_has_an_exit_code(run, tree, platform):
    code, out, said = run("sync", "up", str(tree), "papers", "--exclude", "*.o", "--jobs", "2")
    assert (code, len(out.splitlines()), said) == (0, 4, "4 sent, 0 unchanged.\n")
    assert run("sync", "up", str(tree), "papers", "--dry-run", "--json")[0] == 0
    assert len(platform.encrypted()) == 4
    code, out, said = run("--json", "sync", "down", "papers", "copy")
    assert {json.loads(line)["result"] for line in out.splitlines()} == {"received"}
    Path("copy/a.txt").write_text("mine")
    (tree / "a.txt").write_text("theirs")
    assert run("sync", "up", str(tree), "papers")[2] == "2 sent, 3 unchanged.\n"
    code, _, said = run("sync", "down", "papers", "copy")
    assert (code, "1 received, 3 unchanged, 1 failed." in said) == (Exit.EXISTS, True)
    assert run("sync", "up", "missing")[0] == Exit.FAILED
