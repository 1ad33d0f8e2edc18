"""Snapshots of one service's whole state, in the format that ministack reads at start."""

import asyncio
import contextlib
import gc
import json
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from ministack.core import persistence

from apps.stack import tether
from apps.stack.embedded.disk import flush
from apps.stack.embedded.packed import Rows

_ROWS = "rows_follow"
_END = b"end\n"
_READ_BYTES = 2**20  # at once: half a gigabyte of rows is read a third of a second sooner
_DEPTH = 8  # the mappings down to a partition's items are written piece by piece, what is in them at once


def write(
    directory: Path, service: str, state: dict[str, Any], *, rows: Iterable[bytes] | None = None
) -> None:
    """Replace a service's snapshot, complete on the disk before the old one goes.

    Rows are lines of their own behind the state, as they are: nobody parses them to write or to read them.

    Raises:
        OSError: the disk is full or fails; the old snapshot stands, and nothing of the new one is left.
    """
    path = directory / f"{service}.json"
    document = {"__ministack_format__": persistence._state_format_version(service), "payload": state}  # noqa: SLF001 - its save_state hides failures
    if rows is not None:
        document[_ROWS] = True
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("w", encoding="ascii") as file:
            _dump(file, document, _DEPTH)
        with temporary.open("ab") as more:
            if rows is not None:
                more.write(b"\n")
                more.writelines(rows)
                more.write(_END)
            more.flush()
            os.fsync(more.fileno())
        temporary.replace(path)
        flush([directory])  # else a power cut could bring the old one back, when the journal since it is gone
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_with_rows(path: Path) -> dict[str, Any] | None:
    """Read a snapshot that has rows behind its state; None where it is of another kind, or damaged."""
    try:
        with path.open("rb", buffering=_READ_BYTES) as file:
            document = json.loads(file.readline(), object_hook=persistence._json_object_hook)  # noqa: SLF001 - the same format
            if not document[_ROWS]:
                return None
            state: dict[str, Any] = document["payload"]
            return state if _read_rows(file, state["tables"]) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _read_rows(file: IO[bytes], tables: Any) -> bool:
    """Put rows into their tables; return whether the file has its end."""
    items: dict[str, Any] = {}
    for line in file:
        if line.startswith(b"["):
            items = tables.get_scoped(*json.loads(line))["items"]
        elif line == _END:
            return not file.read(1)
        else:
            partition, sort, packed = line.split(b"\t", 2)
            key = _text(partition)
            if (rows := items.get(key)) is None:
                rows = items[key] = Rows()
            rows.put_packed(_text(sort), packed[:-1])
    return False


def _text(quoted: bytes) -> str:
    """A text as JSON has it; of one without escapes, which most are, nothing needs to be parsed."""
    return str(json.loads(quoted)) if b"\\" in quoted else quoted[1:-1].decode()


def _dump(file: IO[str], value: Any, depth: int) -> None:
    """Write JSON as ministack does, piece by piece: as one text it would take the memory of the state once more."""
    plain = persistence._json_default(value) if _is_scoped(value) else value  # noqa: SLF001 - the same format
    if not depth or not isinstance(plain, dict):
        file.write(json.dumps(plain, default=persistence._json_default))  # noqa: SLF001 - likewise
        return
    file.write("{")
    for number, (key, item) in enumerate(plain.items()):
        file.write(f"{', ' if number else ''}{json.dumps(str(key))}: ")
        _dump(file, item, depth - 1)
    file.write("}")


def _is_scoped(value: Any) -> bool:
    return isinstance(value, persistence.AccountRegionScopedDict | persistence.AccountScopedDict)


class SnapshotFailed(OSError):
    """The process that wrote the snapshots ended without having done so."""


async def write_aside(write_all: Callable[[], None]) -> None:
    """Write snapshots in a copy of this process, which sees the state of this moment; calls go on meanwhile.

    Raises:
        SnapshotFailed: they are not there; the old ones stand.
    """
    gc.freeze()  # else the copy's collector, or ours, would touch and so copy every page
    parent = os.getpid()
    child = os.fork()
    if not child:
        _in_copy(write_all, parent)
    gc.unfreeze()
    try:
        status = await asyncio.to_thread(os.waitpid, child, 0)
    except asyncio.CancelledError:
        os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # the thread may have seen it first
            os.waitpid(child, 0)
        raise
    if status[1]:
        raise SnapshotFailed(
            f"the process that writes them ended with {os.waitstatus_to_exitcode(status[1])}"
        )


def _in_copy(write_all: Callable[[], None], parent: int) -> None:
    """In the copy: nothing but writing, and an end that runs nothing of the original.

    It ends with its original: else it would put its snapshot over a later one, of which the journal is gone.
    """
    try:
        gc.disable()
        tether.end_with(parent)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.nice(5)
        write_all()
    except BaseException as error:  # noqa: BLE001 - whatever it is, the copy must end here
        os.write(2, f"CRITICAL the snapshots cannot be written: {error}\n".encode())
        os._exit(1)
    os._exit(0)
