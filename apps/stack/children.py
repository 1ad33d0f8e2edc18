"""Starting, watching and ending the processes of ``make run``."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import psutil

from apps.stack import tether
from apps.stack.configuration import ROOT
from apps.stack.layout import write_private

GRACE_SECONDS = 10.0  # then SIGKILL
CLOCK_TOLERANCE = 5.0  # seconds by which a process's start may seem to move when the clock is set
TAIL_BYTES = 4_000
POLL_SECONDS = 0.02


class Child:
    """One process, in a session of its own so that Ctrl-C reaches the supervisor only."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], logs: Path) -> None:
        self.name = name
        self.command = command
        self.log = logs / f"{name}.log"
        self._shown = 0
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as output:
            # The interpreter of the tether starts bare (-I -S): it only sets the death signal and execs.
            tethered = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command]
            self.process = subprocess.Popen(  # noqa: S603 - our own programs
                tethered,
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self.process.poll()

    def signal(self, number: signal.Signals) -> None:
        """To the child and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """At once, with whatever is left of its group."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log; none where a full disk kept that from being made again."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])

    def new_errors(self) -> list[str]:
        """Lines logged since the last call that report an error."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as file:
            file.seek(self._shown)
            block = file.read()
        complete = block[: block.rfind(b"\n") + 1]
        self._shown += len(complete)
        lines = complete.decode("utf-8", "replace").splitlines()
        return [line for line in lines if " ERROR " in line or "CRITICAL " in line or "ERROR/" in line]


def stop(children: Iterable[Child], *, forced: Callable[[], bool]) -> None:
    """End children together: ask, wait until they have ended, time is up or ``forced`` says so; then kill."""
    ending = list(children)
    for child in ending:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(child.exit_code is None for child in ending) and time.monotonic() < deadline and not forced():
        time.sleep(POLL_SECONDS)
    for child in ending:
        child.kill()


def remember(path: Path, children: Iterable[Child]) -> None:
    """Write down who runs, for a next start that finds them left behind."""
    known = [{"pid": child.process.pid, "at": time.time(), "command": child.command} for child in children]
    write_private(path, json.dumps(known))


def end_leftovers(path: Path) -> list[int]:
    """End what an earlier run wrote down and is still there; returns the ids of those processes."""
    try:
        known = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return []
    left = [process for entry in known if (process := _same(entry)) is not None]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(left, timeout=GRACE_SECONDS)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)
    path.unlink()
    return [process.pid for process in left]


def _same(entry: dict[str, object]) -> psutil.Process | None:
    """The process written down, unless its number belongs to another one by now."""
    try:
        process = psutil.Process(int(str(entry["pid"])))
        younger = process.create_time() > float(str(entry["at"])) + CLOCK_TOLERANCE
        return None if younger or process.cmdline() != entry["command"] else process
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
