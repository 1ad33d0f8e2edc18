"""``python -m apps.stack.backups make|restore``: the folder of ``make run``, encrypted to a recipient, and back again.

A backup is one line of JSON (for whom it is, and the key of its body, sealed to them by HPKE) and a body as files have
one: chunks of AES-256-GCM over a tar archive. It holds the root key and all secrets, so it opens for the recipient's
seed alone, which has no place on this machine. It says nothing of who made it: anybody can encrypt to a public key, so
the SHA-256 that is printed is what tells it from another one.
"""

import argparse
import base64
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from apps.stack import layout
from apps.stack.children import end_leftovers
from apps.stack.configuration import BadConfiguration, Configuration
from apps.stack.telling import say
from qkdseal import (
    PIECE_SIZE,
    IteratorSource,
    OpenFailed,
    PackageInvalid,
    Suite,
    decrypt_chunks,
    encrypt_pieces,
    fingerprint,
    open_secret,
    seal_secret,
)

FORMAT = "qkd-backup-1"
BEGINNING = f'{{"format": "{FORMAT}"'.encode()  # of every backup
INFO = b"qkdplatform/backup/1"
LINE_LIMIT = 16_384  # of the first line: 2.2 KiB today
END = bytes(2 * tarfile.BLOCKSIZE)
NOT_KEPT = frozenset({"lock", "logs", "children.json"})  # of one run


class BackupFailed(Exception):
    """It was not made or not restored; the message says why. Nothing is left of the attempt."""


def make(folder: Path, *, recipient: Path, out: Path) -> str:
    """Encrypt a stopped platform's folder to a recipient; return the SHA-256 of the backup.

    Raises:
        BackupFailed: it holds no platform, a name is taken or lies in it, or the recipient's document is none.
        layout.Unusable: the platform is running.
    """
    if not (folder / layout.DATABASE).exists():
        raise BackupFailed(f"{folder} holds no platform.")
    if out.resolve().is_relative_to(folder.resolve()):  # it would hold itself, without end
        raise BackupFailed(f"{out} lies in {folder}, which is backed up. Give a place outside of it.")
    _public_key(recipient)  # before anything is ended
    with layout.lock(folder):
        end_leftovers(folder / "children.json")
        return write(_archive(folder), recipient=recipient, out=out)


def write(pieces: Iterable[bytes], *, recipient: Path, out: Path) -> str:
    """Encrypt an archive to a recipient, whole or not at all; return the SHA-256 of the backup.

    Raises:
        BackupFailed: a name is taken, or the recipient's document is none.
    """
    suite, public_key = _public_key(recipient)
    if out.exists():
        raise BackupFailed(f"{out} is there already.")
    part = out.with_name(f"{out.name}.part")
    with _part(part) as file:
        try:
            line, key = _sealed(suite, public_key)
            file.truncate(0)  # of one that was killed, only now that this one can be made
            file.write(line)
            encrypt_pieces(_cut(pieces), file, key=key, context=_context(line))
            file.flush()
            os.fsync(file.fileno())
            _claimed(out).close()  # the rename overwrites; a link would not, but not every disk has links
            part.replace(out)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    with out.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cut(pieces: Iterable[bytes]) -> Iterator[memoryview]:
    """Likewise, in pieces as small as they are encrypted in: a page of a table has up to a megabyte, and more as text."""
    for piece in pieces:
        for start in range(0, len(piece), PIECE_SIZE):
            yield memoryview(piece)[start : start + PIECE_SIZE]


def restore(backup: Path, *, key: Path, folder: Path) -> int:
    """Put a backup into a folder that is new or empty, whole or not at all; return the number of files.

    Raises:
        BackupFailed: the folder has something in it, another restore is at it, or the backup does not open for this key
            or was changed.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupFailed(f"{folder} is not empty. Restore into a new folder: LOCAL_DIR=…")
    part = folder.with_name(f"{folder.name}.restoring")
    try:
        part.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise BackupFailed(
            f"{part} is there: of a restore that runs, or of one that was killed. Then it holds secrets in the clear: "
            f"rm -r {part}"
        ) from None
    try:
        number = extract(backup, key=key, target=part)
        layout.check_version(part)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return number


def extract(backup: Path, *, key: Path, target: Path) -> int:
    """Write what a backup holds below a folder; return the number of files.

    Raises:
        BackupFailed: it does not open for this key, or was changed; what was written by then is not to be used.
    """
    try:
        with backup.open("rb") as file:
            return _extract(file, _document(key), target)
    except (PackageInvalid, OpenFailed, tarfile.TarError):
        raise BackupFailed(
            f"{backup} does not open: it is for another recipient, was changed, or is no backup."
        ) from None


def _sealed(suite: Suite, public_key: bytes) -> tuple[bytes, bytes]:
    """A new key, and the first line of the backup that it encrypts."""
    key = os.urandom(32)
    told = {
        "format": FORMAT,
        "suite": suite.value,
        "recipient": fingerprint(public_key),
        "sealed_key": base64.b64encode(
            seal_secret(key, suite=suite, public_key=public_key, info=INFO)
        ).decode(),
    }
    return json.dumps(told).encode() + b"\n", key


def _context(line: bytes) -> bytes:
    return hashlib.sha256(INFO + line).digest()


def _archive(folder: Path) -> Iterator[bytes]:
    """A tar archive of the folder, in pieces."""
    yield from begin()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] in NOT_KEPT or name.as_posix() == layout.RESTORED or path.suffix == ".tmp":
            continue
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise BackupFailed(f"{path} is neither a file nor a folder.")
        yield from _folder(name.as_posix()) if path.is_dir() else _file(name.as_posix(), path)
    yield END


def begin() -> Iterator[bytes]:
    """The first entry of an archive: when it was made."""
    told = {"made_at": datetime.now(UTC).isoformat(timespec="seconds")}
    yield from entry(layout.RESTORED, json.dumps(told).encode())


def entry(name: str, content: bytes) -> Iterator[bytes]:
    """A file of an archive."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o600
    yield info.tobuf(tarfile.PAX_FORMAT)
    yield content + bytes(-len(content) % tarfile.BLOCKSIZE)


def _folder(name: str) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o700
    yield info.tobuf(tarfile.PAX_FORMAT)


def _file(name: str, path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        info, left = tarfile.TarInfo(name), os.fstat(file.fileno()).st_size
        info.size, info.mode, info.mtime = left, 0o600, int(path.stat().st_mtime)
        yield info.tobuf(tarfile.PAX_FORMAT)
        padding = -left % tarfile.BLOCKSIZE
        while piece := file.read(PIECE_SIZE):
            left -= len(piece)
            yield piece
    if left:
        raise BackupFailed(f"{path} changed while it was read.")
    yield bytes(padding)


def _extract(file: IO[bytes], key: dict[str, Any], target: Path) -> int:
    """Write what a backup holds below a folder, and demand that it is whole; return the number of files."""
    line = file.readline(LINE_LIMIT)
    try:
        told = json.loads(line)
        suite, sealed = Suite(told["suite"]), base64.b64decode(told["sealed_key"], validate=True)
        known = told["format"] == FORMAT
    except (ValueError, KeyError, TypeError):
        raise PackageInvalid from None
    if not known:
        raise BackupFailed(f"The backup's format is {told['format']!r}; this version reads {FORMAT}.")
    body_key = open_secret(sealed, suite=suite, seed=_seed(key), info=INFO)
    source = IteratorSource(decrypt_chunks(file, key=body_key, context=_context(line)))
    number = 0
    with tarfile.open(fileobj=source, mode="r|", bufsize=PIECE_SIZE) as archive:  # type: ignore[call-overload]
        for member in archive:
            number += _write(archive, member, target)
    while source.read(PIECE_SIZE):  # the last chunk says that nothing was cut off
        pass
    if not (target / layout.RESTORED).exists():
        raise PackageInvalid
    return number


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> int:
    """Write one member: a plain file or folder below the target. Whoever has the public key can make an archive."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isreg() or member.isdir()):
        raise BackupFailed(f"The backup holds {member.name!r}, which is no file of a platform's folder.")
    path = target / name
    if member.isdir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return 0
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _new(path) as out:
        shutil.copyfileobj(archive.extractfile(member), out, PIECE_SIZE)  # type: ignore[arg-type]
    return 1


def _public_key(path: Path) -> tuple[Suite, bytes]:
    told = _document(path)
    try:
        return Suite(told["suite"]), base64.b64decode(told["public_key"], validate=True)
    except (ValueError, KeyError, TypeError):
        raise BackupFailed(f"{path} is no recipient, as `python -m qkdseal recipient` makes one.") from None


def _seed(told: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(told["seed"], validate=True)
    except (ValueError, KeyError, TypeError):
        raise BackupFailed(
            "The recipient's document has no seed: this is the public part, which only encrypts."
        ) from None


def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise BackupFailed(f"{path} is no document of a recipient.")
    return found


def _new(path: Path) -> IO[bytes]:
    """A new file that its owner alone can read; nothing is overwritten."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _part(path: Path) -> IO[bytes]:
    """The file that a backup is written into, held until it is closed: a new one, or what a killed one has left.

    Raises:
        BackupFailed: another backup writes it, or it is something else.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    file = os.fdopen(descriptor, "r+b")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_its_own = os.path.samestat(os.fstat(descriptor), path.lstat())  # else it was finished just now
    except (BlockingIOError, FileNotFoundError):
        is_its_own = False
    if not is_its_own:
        file.close()
        raise BackupFailed(f"{path} is being written by another backup.")
    begins = file.read(len(BEGINNING))
    if not BEGINNING.startswith(begins):
        file.close()
        raise BackupFailed(f"{path} is there already, and is no part of a backup.")
    os.fchmod(descriptor, 0o600)
    file.seek(0)
    if begins:
        say(f"{path} was left by a backup that was killed; it is overwritten.")
    return file


def left_out(folder: Path, environment: Mapping[str, str]) -> list[Path]:
    """What a platform needs beside its folder, as its settings name it, and what two sites on this machine share."""
    named = [environment.get("KME_FOLDER"), *_values(environment.get("LINK_SECRETS"))]
    for client in _values(environment.get("KME_CLIENTS")):
        named += client.values() if isinstance(client, dict) else ()
    paths = [Path(one) for one in named if isinstance(one, str) and one]
    if (folder / layout.LINK_MADE).exists():
        paths += [folder.parent / name for name in layout.SHARED]
    outside = {path.resolve() for path in paths} - {folder.resolve()}
    return sorted(path for path in outside if path.exists() and not path.is_relative_to(folder.resolve()))


def _values(text: str | None) -> list[Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return []
    return list(found.values()) if isinstance(found, dict) else []


def _claimed(path: Path) -> IO[bytes]:
    try:
        return _new(path)
    except FileExistsError:
        raise BackupFailed(f"{path} is there already.") from None


def main(arguments: list[str]) -> int:
    """Make or restore a backup; return the exit code."""
    os.umask(0o077)
    options = _parser().parse_args(arguments)
    try:
        folder = Configuration.read(os.environ).folder
        if options.verb == "make":
            told = make(folder, recipient=options.to, out=options.out)
            say(f"{options.out}: {options.out.stat().st_size:,} bytes, SHA-256 {told}")
            if missing := left_out(folder, os.environ):
                say(
                    f"Not in it, as it lies outside of {folder}: {', '.join(map(str, missing))}. "
                    "Without it a restored site reaches no other one: keep a copy, as secret as the backup."
                )
        else:
            number = restore(options.backup, key=options.key, folder=folder)
            made_at = json.loads((folder / layout.RESTORED).read_text())["made_at"]
            say(f"{number} files of {made_at} restored into {folder}. Start it: LOCAL_DIR={folder} make run")
    except (BackupFailed, BadConfiguration, layout.Unusable) as problem:
        say(str(problem), error=True)
        return 1
    except OSError as error:
        say(f"{error.filename}: {error.strerror}. Nothing is left of the attempt.", error=True)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m apps.stack.backups", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("make", help="encrypt LOCAL_DIR to a recipient")
    making.add_argument("--to", type=Path, required=True, help="the recipient's document, public part")
    making.add_argument("--out", type=Path, required=True, help="the new file; nothing is overwritten")
    restoring = verbs.add_parser("restore", help="into LOCAL_DIR, which has to be new or empty")
    restoring.add_argument("backup", type=Path)
    restoring.add_argument("--key", type=Path, required=True, help="the recipient's document with its seed")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
