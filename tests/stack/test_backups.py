"""Backups of ``.local``: for the recipient alone, whole or not at all, and nothing used twice after them."""

import io
import json
import os
import tarfile

import pytest

from apps.stack import backups, layout
from qkdseal import PIECE_SIZE, encrypt_stream
from qkdseal import __main__ as qkdseal
from tests import requirement

FILES = {
    "version": layout.VERSION.encode(),
    "root.key": b"the root key",
    "secrets.json": b"{}",
    "console.sqlite3": os.urandom(300_000),
    "aws/s3/bucket/" + "k" * 180: b"",
    "aws/dynamodb.json": os.urandom(5 * 512),
}


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "local"
    layout.make(made)
    for name, content in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    (made / "aws" / "empty").mkdir()
    (made / "logs" / "web.log").touch()
    (made / "version.1.tmp").touch()
    return made


@pytest.fixture
def key(tmp_path, capsys):
    """A recipient's document; ``public.json`` beside it is what may lie on the platform's machine."""
    path = tmp_path / "me.json"
    assert qkdseal.main(["recipient", "-o", str(path)]) == 0
    (tmp_path / "public.json").write_text(capsys.readouterr().out)
    return path


@pytest.fixture
def backup(folder, key, tmp_path):
    backups.make(folder, recipient=tmp_path / "public.json", out=tmp_path / "monday")
    return tmp_path / "monday"


def everything(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def restore(backup, key, tmp_path):
    return backups.restore(backup, key=key, folder=tmp_path / "restored")


@requirement("G5")
def test_what_was_there_is_there_again_for_its_owner_only(backup, key, tmp_path):
    assert restore(backup, key, tmp_path) == len(FILES) + 1
    found = everything(tmp_path / "restored")
    assert "made_at" in json.loads(found.pop(layout.RESTORED))
    assert found == FILES
    assert (tmp_path / "restored" / "aws" / "empty").is_dir()
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "restored").rglob("*")}
    assert modes | {backup.stat().st_mode & 0o077} == {0}


@requirement("G5")
def test_what_comes_in_large_pieces_as_pages_of_a_stage_s_tables_do_is_written_whole(key, tmp_path):
    page = os.urandom(PIECE_SIZE * 2 + 1)
    archive = [*backups.begin(), *backups.entry("tables/files/0.json", page), backups.END]
    backups.write(archive, recipient=tmp_path / "public.json", out=tmp_path / "large")
    backups.extract(tmp_path / "large", key=key, target=tmp_path)
    assert (tmp_path / "tables" / "files" / "0.json").read_bytes() == page


@requirement("G5", "I2")
def test_nothing_of_it_can_be_read_without_the_recipient_s_key(backup, tmp_path, capsys):
    assert all(content not in backup.read_bytes() for content in FILES.values() if len(content) > 3)
    other = tmp_path / "other.json"
    qkdseal.main(["recipient", "-o", str(other)])
    for wrong, said in ((other, "another recipient"), (tmp_path / "public.json", "has no seed")):
        with pytest.raises(backups.BackupFailed, match=said):
            restore(backup, wrong, tmp_path)


@requirement("G5")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[:-20_000],
        lambda data: data + b"x",
        lambda data: data[:9_000] + bytes([data[9_000] ^ 1]) + data[9_001:],
        lambda data: data.replace(b"qkd-backup-1", b"qkd-backup-1 "),
        lambda data: data.replace(b'"format"', b' "format"'),
        lambda data: data[:0],
        lambda data: b"\n" + data,
        lambda data: b"[]\n" + data,
        lambda data: data[:3_000],
    ],
)
def test_what_was_changed_or_cut_leaves_nothing(backup, key, tmp_path, spoil):
    backup.write_bytes(spoil(backup.read_bytes()))
    before = left_in(tmp_path)
    with pytest.raises(backups.BackupFailed):
        restore(backup, key, tmp_path)
    assert left_in(tmp_path) == before


@requirement("G5")
@pytest.mark.parametrize("member", ["../outside", "/etc/outside", "a/../../outside", "link", "device"])
def test_a_made_up_archive_writes_nothing_outside(key, tmp_path, member):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo(member)
        kinds = {"link": tarfile.SYMTYPE, "device": tarfile.CHRTYPE}
        info.type, info.linkname = kinds.get(member, tarfile.REGTYPE), "/etc/passwd"
        tar.addfile(info, io.BytesIO())
    line, body_key = backups._sealed(*backups._public_key(tmp_path / "public.json"))
    with (tmp_path / "made").open("wb") as out:
        out.write(line)
        archive.seek(0)
        encrypt_stream(archive, out, key=body_key, context=backups._context(line))
    before = left_in(tmp_path)
    with pytest.raises(backups.BackupFailed, match="is no file of a platform's folder"):
        restore(tmp_path / "made", key, tmp_path)
    assert left_in(tmp_path) == before


@requirement("G5")
def test_a_folder_with_something_in_it_is_not_touched(backup, key, folder):
    with pytest.raises(backups.BackupFailed, match="not empty"):
        backups.restore(backup, key=key, folder=folder)
    assert everything(folder).keys() >= FILES.keys()


@requirement("G5")
def test_a_running_platform_is_not_copied_and_no_backup_is_overwritten(folder, backup, tmp_path):
    kept = backup.read_bytes()
    with pytest.raises(backups.BackupFailed, match="monday is there already"):
        backups.make(folder, recipient=tmp_path / "public.json", out=backup)
    with layout.lock(folder), pytest.raises(layout.Unusable, match="Another `make run`"):
        backups.make(folder, recipient=tmp_path / "public.json", out=tmp_path / "tuesday")
    assert backup.read_bytes() == kept
    assert not list(tmp_path.glob("*.part"))
    assert not (tmp_path / "tuesday").exists()


@requirement("G5")
def test_a_backup_of_another_version_s_folder_is_refused(folder, key, tmp_path):
    (folder / "version").write_text("999")
    backups.make(folder, recipient=tmp_path / "public.json", out=tmp_path / "old")
    with pytest.raises(layout.Unusable, match="version '999'"):
        restore(tmp_path / "old", key, tmp_path)
    assert not (tmp_path / "restored.restoring").exists()


@requirement("G5")
def test_the_command_says_what_it_did_and_what_it_could_not(folder, key, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LOCAL_DIR", str(folder))
    made = ["make", "--to", str(tmp_path / "public.json"), "--out", str(tmp_path / "b")]
    assert backups.main(made) == 0
    assert "SHA-256" in capsys.readouterr().out
    assert backups.main(made) == 1
    assert "is there already" in capsys.readouterr().err
    restoring = ["restore", str(tmp_path / "b"), "--key", str(key)]
    assert backups.main(restoring) == 1
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path / "new"))
    assert backups.main(restoring) == 0
    assert "restored into" in capsys.readouterr().out
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path / "newer"))
    assert backups.main(["restore", str(tmp_path / "missing"), "--key", str(key)]) == 1
    assert "missing: No such file" in capsys.readouterr().err


@requirement("G5")
def test_a_backup_into_the_folder_itself_is_refused_as_it_would_read_what_it_writes(folder, key, tmp_path):
    before = everything(folder)
    for place in (folder / "monday", folder / "aws" / ".." / "monday"):
        with pytest.raises(backups.BackupFailed, match="lies in"):
            backups.make(folder, recipient=tmp_path / "public.json", out=place)
    assert everything(folder) == before


@requirement("G5")
def test_a_file_of_somebody_elses_beside_the_backup_stays(folder, key, tmp_path):
    other = tmp_path / "monday.part"
    other.write_bytes(b"another backup that is being made")
    with pytest.raises(backups.BackupFailed, match=r"monday\.part is there already"):
        backups.make(folder, recipient=tmp_path / "public.json", out=tmp_path / "monday")
    assert other.read_bytes() == b"another backup that is being made"


@requirement("G5")
@pytest.mark.parametrize("left", [0, 10, 3_000])
def test_what_a_killed_backup_left_is_overwritten_and_said(folder, key, backup, tmp_path, capsys, left):
    (tmp_path / "tuesday.part").write_bytes(backup.read_bytes()[:left] + bytes(400_000 if left > 10 else 0))
    backups.make(folder, recipient=tmp_path / "public.json", out=tmp_path / "tuesday")
    assert ("tuesday.part was left by a backup that was killed" in capsys.readouterr().out) == bool(left)
    assert restore(tmp_path / "tuesday", key, tmp_path) == len(FILES) + 1
    assert not list(tmp_path.glob("*.part"))


@requirement("G5")
def test_what_another_backup_writes_is_left_to_it(folder, key, tmp_path):
    part = tmp_path / "monday.part"
    with backups._part(part) as held:
        held.write(backups.BEGINNING)
        held.flush()
        with pytest.raises(backups.BackupFailed, match=r"monday\.part is being written"):
            backups.make(folder, recipient=tmp_path / "public.json", out=tmp_path / "monday")
        assert part.read_bytes() == backups.BEGINNING


@requirement("G5")
def test_what_a_backup_has_not_in_it_is_said(folder, key, tmp_path, monkeypatch, capsys):
    """What two sites share lies beside both of their folders, or where settings say."""
    monkeypatch.setenv("LOCAL_DIR", str(folder))
    made = ["make", "--to", str(tmp_path / "public.json"), "--out"]
    assert backups.main([*made, str(tmp_path / "alone")]) == 0
    assert "Not in it" not in capsys.readouterr().out
    (tmp_path / "link.secret").touch()
    (folder / "link-made").touch()
    (tmp_path / "site.key").touch()
    monkeypatch.setenv("LINK_SECRETS", json.dumps({"a": str(folder / "version"), "b": "/no/such"}))
    monkeypatch.setenv("KME_CLIENTS", json.dumps({"site": {"key": str(tmp_path / "site.key")}}))
    assert backups.main([*made, str(tmp_path / "shared")]) == 0
    said = capsys.readouterr().out
    assert (
        f"Not in it, as it lies outside of {folder}: {tmp_path / 'link.secret'}, {tmp_path / 'site.key'}."
        in said
    )


@requirement("G5")
def test_a_disk_without_hard_links_takes_a_backup(folder, key, tmp_path, monkeypatch):
    def refused(*_args, **_named):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)  # as on a stick with exFAT
    backups.make(folder, recipient=tmp_path / "public.json", out=tmp_path / "monday")
    assert restore(tmp_path / "monday", key, tmp_path) == len(FILES) + 1
    assert not list(tmp_path.glob("*.part"))


@requirement("G5", "I2")
def test_what_a_killed_restore_left_in_the_clear_is_named(backup, key, tmp_path, monkeypatch, capsys):
    left = tmp_path / "restored.restoring"
    left.mkdir()
    (left / "root.key").touch()
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path / "restored"))
    assert backups.main(["restore", str(backup), "--key", str(key)]) == 1
    told = capsys.readouterr().err
    assert f"rm -r {left}" in told
    assert "Nothing is left" not in told
    assert (left / "root.key").exists(), "it may be of a restore that runs"
