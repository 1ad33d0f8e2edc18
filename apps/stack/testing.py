"""The embedded AWS for tests: on a free port, in a directory of the test's own."""

import contextlib
import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from apps.stack.configuration import ROOT
from apps.stack.ports import is_free, status_of

START_SECONDS = 240.0  # of a machine with much else to do: one that fails says so at once
PORTS: Sequence[int] = range(20_000, 32_000)  # below those that systems give to outgoing connections
_reserved: dict[int, int] = {}  # and the locks that hold them


def free_port(following: int = 0) -> int:
    """Reserve a port that nothing listens on, and so many after it, for as long as this process lives.

    It is bound later, by another process: until then neither a connection nor another test takes it.
    """
    first = os.getpid() * 97 % len(PORTS)  # processes begin apart
    for port in [*PORTS[first:], *PORTS[:first]]:
        if all(_reserve(each) for each in range(port, port + following + 1)):
            return port
    raise RuntimeError("All ports for tests are taken.")


def _reserve(port: int) -> bool:
    folder = Path(tempfile.gettempdir()) / f"qkd-test-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if port in _reserved:
        return False
    lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    # Only now: to look, it is bound for a moment, just when who holds it may bind it
    if not is_free("127.0.0.1", port):
        os.close(lock)
        return False
    _reserved[port] = lock
    return True


def start(
    state_dir: Path,
    port: int,
    *,
    origins: str = "",
    fsync: bool = False,
    prefix: Sequence[str] = (),
    services: str = "",
    program: Sequence[str] = ("-m", "apps.stack.embedded"),
) -> subprocess.Popen[bytes]:
    """Start the embedded AWS and wait until it answers.

    Args:
        state_dir: of its state.
        port: of its own.
        origins: of pages that may call it.
        fsync: what it acknowledges survives a power cut.
        prefix: stands before its command.
        services: of AWS, separated by commas; empty: those that `make run` needs.
        program: what Python runs in its environment; a test's own changes something of it.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "STATE_DIR": str(state_dir),
        "GATEWAY_PORT": str(port),
        "ALLOW_ORIGINS": origins,
        "JOURNAL_FSYNC": str(int(fsync)),
    }
    if services:
        environment["SERVICES"] = services
    python = ROOT / ".venv-stack" / "bin" / "python"
    command = [*prefix, str(python), *program]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603 - our own program
    try:
        _wait(process, port)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while status_of("127.0.0.1", port, "/_ministack/health") != 200:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The embedded AWS did not start (exit code {process.poll()}).")
        time.sleep(0.02)


@contextlib.contextmanager
def embedded_aws(state_dir: Path, *, origins: str = "", services: str = "") -> Iterator[str]:
    """The endpoint URL of an embedded AWS that lives as long as the block."""
    port = free_port()
    process = start(state_dir, port, origins=origins, services=services)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
