"""Record a first use of the client as a cast of asciinema: ``python -m tests.e2e.first_use docs/client-first-use.cast``.

The platform is started as ``make run`` does, the commands run in a terminal of their own, and what they write is kept
with its times. Nothing is made up: `asciinema play` shows it again.
"""

import json
import os
import pty
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from apps.stack.configuration import ROOT
from tests.e2e.conftest import Platform

WIDTH, HEIGHT = 110, 30
PAUSE = 0.6  # between two commands, so that a reader can follow
TYPED = 0.03  # seconds for each sign of a command
STEPS = (
    "qkdclient --version",
    "qkdclient whoami | head -6",
    "echo 'figures of the year' > report.txt",
    "qkdclient upload report.txt --type report --attribute find.customer=acme",
    "qkdclient list --type report",
    "qkdclient list --attribute find.customer:acme --json | head -c 180; echo ' …'",
    "id=$(qkdclient list --type report | cut -d' ' -f1)",
    'qkdclient download "$id" -o copy.txt && cmp report.txt copy.txt && echo same',
    "sha256sum report.txt",
    'qkdclient files digest "$id"',
    "head -c 3000000 /dev/urandom > secret.bin",
    "qkdclient upload --local secret.bin          # encrypted here",
    "mkdir -p papers/2025 && cp report.txt papers/2025/",
    "qkdclient sync up papers && qkdclient sync up papers",
    "echo 'attack at dawn' | qkdclient messages encrypt --context letter-7 > package.json",
    "qkdclient messages decrypt package.json --context letter-7",
    'qkdclient messages decrypt package.json --context letter-8; echo "exit code $?"',
    "qkdclient links create --link-id lab --name Laboratory --users '*' --json | head -c 120; echo ' …'",
    "qkdclient links list",
    'qkdclient delete "$id" && qkdclient files restore "$id"',
)


class Recording:
    """What a terminal shows, with its times."""

    def __init__(self) -> None:
        self.began, self.events = time.monotonic(), list[tuple[float, str]]()

    def show(self, text: str) -> None:
        """Note what appears now."""
        self.events.append((round(time.monotonic() - self.began, 3), text))

    def run(self, shell: int, step: str) -> None:
        """Type a command, and note what comes until the shell is ready again."""
        self.show("$ ")
        for sign in step:
            time.sleep(TYPED / 3)
            self.show(sign)
        self.show("\r\n")
        os.write(shell, f"{step}\nprintf '\\001'\n".encode())
        while True:
            piece = os.read(shell, 65_536)
            text, ready, _ = piece.partition(b"\x01")
            if text:
                self.show(text.decode(errors="replace"))
            if ready:
                break
        time.sleep(PAUSE)

    def text(self) -> str:
        """The cast, a line of JSON each."""
        head = {"version": 2, "width": WIDTH, "height": HEIGHT, "title": "A first use of qkdclient"}
        lines = [
            json.dumps(head),
            *(json.dumps([at, "o", text], ensure_ascii=False) for at, text in self.events),
        ]
        return "\n".join(lines) + "\n"


def record(platform: Platform, folder: Path) -> Recording:
    """Run the steps in a shell of their own."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "QKD_URL": f"http://127.0.0.1:{platform.run.port}",
        "QKD_API_KEY": platform.first_run["api_key"],
        "XDG_STATE_HOME": str(folder / "state"),
        "COLUMNS": str(WIDTH),
        "TERM": "dumb",
        "PS1": "",
    }
    work = folder / "work"
    work.mkdir()
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        ["/bin/bash", "--noprofile", "--norc"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=work,
        env=environment,
    )
    recording = Recording()
    try:
        os.write(
            ours,
            f"stty -echo; qkdclient() {{ '{sys.executable}' -m qkdclient \"$@\"; }}; printf '\\001'\n".encode(),
        )
        while b"\x01" not in os.read(ours, 65_536):
            continue
        for step in STEPS:
            recording.run(ours, step)
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
        os.close(theirs)
    return recording


def main(place: str) -> None:
    """Start the platform, record, and write the cast."""
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(Path(folder) / "local")
        try:
            recording = record(platform, Path(folder))
        finally:
            platform.stop()
    Path(place).write_text(recording.text())


if __name__ == "__main__":
    main(sys.argv[1])
