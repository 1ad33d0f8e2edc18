"""The client killed 200 times at random moments, its server too, on a full disk and with the clock set back.

No wrong byte, no wrong exit code, no second copy, nothing that waits. QKD_TORTURE_KILLS and QKD_TORTURE_SEED change the
run; its figures are printed (-s).
"""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.stack import testing
from apps.stack.configuration import ROOT
from qkdclient import Client, Exit
from tests import requirement
from tests.e2e.conftest import Platform
from tests.running import Run

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(4 * 3600)]
KILLS = int(os.environ.get("QKD_TORTURE_KILLS", "200"))
SEED = int(os.environ.get("QKD_TORTURE_SEED", str(int(time.time()))))
SIZES = (0, 1, 16_384, 100_000, 1_000_000, 20_000_000)
RESTARTS_EVERY = 40  # kills between two restarts of the server
CLOCK = "import random, time\nreal, by = time.time, random.uniform(-30, 1) * 86_400\ntime.time = lambda: real() + by\n"


class Fixed(Platform):
    """A platform that comes back on the same ports, as a server does."""

    ports: tuple[int, int] | None = None

    def start(self) -> None:
        self.ports = self.ports or (testing.free_port(), testing.free_port())
        port, aws_port = self.ports
        self.run = Run(self.folder, PORT=str(port), AWS_PORT=str(aws_port))
        self.run.port, self.run.aws_port = port, aws_port
        self.run.ready()
        self.first_run = json.loads((self.folder / "first-run.json").read_text())
        self.url = f"http://127.0.0.1:{port}/api/v1"


class Torture:
    """Runs commands, kills them, and gives them again."""

    def __init__(self, platform: Fixed, folder: Path) -> None:
        self.platform, self.folder, self.random = platform, folder, random.Random(SEED)
        self.kills, self.counts, self.durations = 0, Counter[str](), dict[str, float]()
        self.client = Client(f"http://127.0.0.1:{platform.run.port}", platform.first_run["api_key"])
        (folder / "clock").mkdir()
        (folder / "clock" / "sitecustomize.py").write_text(CLOCK)

    def start(self, *arguments: str, cwd: Path) -> subprocess.Popen[str]:
        path = [str(ROOT)] + [str(self.folder / "clock")] * (self.random.random() < 0.25)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(path),
            "QKD_URL": f"http://127.0.0.1:{self.platform.run.port}",
            "QKD_API_KEY": self.platform.first_run["api_key"],
            "XDG_STATE_HOME": str(self.folder / "state"),
        }
        command = [sys.executable, "-m", "qkdclient", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=cwd, env=environment, stdout=pipe, stderr=pipe, text=True)

    def until_done(self, *arguments: str, cwd: Path, kind: str) -> str:
        """Kill a command once or more at random moments, giving it again, until it ends by itself; what it wrote."""
        written, longest = "", self.durations.get(kind, 3.0)
        while True:
            began = time.monotonic()
            process = self.start(*arguments, cwd=cwd)
            kill = self.kills < KILLS and self.random.random() < 0.8
            try:
                out, said = process.communicate(timeout=self.random.uniform(0, longest) if kill else 600)
            except subprocess.TimeoutExpired:
                assert kill, f"{arguments} took more than 600 s"
                process.kill()
                out, said = process.communicate()
                self.kills += process.returncode == -9
            else:
                self.durations[kind] = 0.5 * longest + 0.5 * (time.monotonic() - began)
            written += out
            if process.returncode == -9 and not self._has_answered(kind, out):
                self.counts[f"{kind}, killed"] += 1
                continue
            assert process.returncode in {0, -9}, (arguments, process.returncode, said)
            self.counts[f"{kind}, done"] += 1
            return written

    def _has_answered(self, kind: str, out: str) -> bool:
        """Whoever has read the answer does not give the command again."""
        return kind.startswith("upload") and out.endswith("\n")

    def content(self) -> bytes:
        return self.random.randbytes(self.random.choice(SIZES))

    def upload(self, number: int, mode: list[str]) -> None:
        path = self.folder / f"up-{number}.bin"
        path.write_bytes(self.content())
        kind, name = f"upload {' '.join(mode)}".strip(), f"torture-{number}"
        written = self.until_done("upload", path.name, "--type", name, *mode, cwd=self.folder, kind=kind)
        files = list(self.client.files.list(document_type=name))
        assert [(f["status"], f["size"]) for f in files] == [("encrypted", path.stat().st_size)], files
        assert {line.split()[0] for line in written.splitlines()} == {files[0]["file_id"]}
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert self.client.files.digest(files[0]["file_id"]) == digest
        copy = self.folder / f"down-{number}.bin"
        down = self.random.choice(([], ["--local"]))
        kind = f"download {' '.join(down)}".strip()
        self.until_done("download", files[0]["file_id"], "-o", copy.name, *down, cwd=self.folder, kind=kind)
        assert copy.read_bytes() == path.read_bytes()
        assert not list(self.folder.glob(".qkd-*.part"))
        path.unlink()
        copy.unlink()

    def sync(self, number: int, mode: list[str]) -> None:
        here, there, name = (
            self.folder / f"tree-{number}",
            self.folder / f"copy-{number}",
            f"torture-{number}",
        )
        for round_number in range(2):
            for part in self.random.sample(range(6), 4):
                path = here / f"{part % 2}" / f"{part}.bin"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.random.randbytes(self.random.choice(SIZES[:-1])))
            arguments = ["--type", name, "--jobs", "2", *mode]
            kind = f"sync up {' '.join(mode)}".strip()
            self.until_done("sync", "up", here.name, *arguments, cwd=self.folder, kind=kind)
            kind = f"sync down {' '.join(mode)}".strip()
            self.until_done(
                "sync", "down", here.name, there.name, "--force", *arguments, cwd=self.folder, kind=kind
            )
            assert tree(there) == tree(here), round_number
        files = [
            f for f in self.client.files.list(document_type=name) if f["status"] not in {"deleted", "applied"}
        ]
        assert sorted(f["source_path"] for f in files) == sorted(
            f"{here.name}/{path}" for path in tree(here)
        ), files
        assert {f["status"] for f in files} == {"encrypted"}
        shutil.rmtree(here)
        shutil.rmtree(there)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fixed]:
    made = Fixed(tmp_path_factory.mktemp("torture") / "local")
    yield made
    if made.run.process.poll() is None:
        made.stop()
    if made.run.process.stdout:
        made.run.process.stdout.close()


@pytest.fixture
def torture(platform, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state of the test itself"))
    return Torture(platform, tmp_path)


def restart(platform: Fixed, delay: float) -> threading.Thread:
    """Kill the server after a moment and start it again, while commands are under way."""

    def act() -> None:
        time.sleep(delay)
        platform.kill("web")
        platform.start()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


@requirement("C8", "C9", "I4")
def test_no_kill_costs_a_byte_or_makes_a_copy(torture, platform):
    began, number, restarts = time.monotonic(), 0, 0
    restarting: threading.Thread | None = None
    while torture.kills < KILLS:
        if torture.kills >= (restarts + 1) * RESTARTS_EVERY:
            restarting, restarts = restart(platform, torture.random.uniform(0, 3)), restarts + 1
        act: Callable[[int, list[str]], None] = torture.random.choice(
            [torture.upload, torture.upload, torture.sync]
        )
        act(number, torture.random.choice(([], ["--local"])))
        number += 1
        if restarting is not None:
            restarting.join()
            restarting = None
    waiting = [f for f in torture.client.files.list() if f["status"].startswith("awaiting")]
    figures = {
        "seed": SEED,
        "kills": torture.kills,
        "restarts of the server": restarts,
        "transfers": number,
        "records that wait": len(waiting),
        "seconds": round(time.monotonic() - began),
        **dict(sorted(torture.counts.items())),
    }
    print(json.dumps(figures, indent=1))  # noqa: T201 - the figures of the run
    assert not waiting


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@requirement("C8", "C9")
@pytest.mark.parametrize("mode", [[], ["--local"]], ids=["platform", "local"])
def test_a_full_disk_costs_no_byte(mode, torture, small_disk):
    source, kept = torture.folder / "source.bin", f"full{''.join(mode)}"
    source.write_bytes(os.urandom(3_000_000))
    file_id = torture.client.upload(source)["file_id"]

    def run(*arguments: str) -> tuple[int, str]:
        process = torture.start(*arguments, cwd=torture.folder)
        _, said = process.communicate(timeout=600)
        return process.returncode, said

    code, said = run("download", file_id, "-o", f"{small_disk}/copy", *mode)
    assert (code, "No space left" in said, "Traceback" in said) == (Exit.FAILED, True, False)
    assert not (small_disk / "copy").exists()
    code, said = run("sync", "down", "source.bin", str(small_disk / "folder"), *mode)
    assert (code, "Traceback" in said) == (0, False)
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    code, _ = run("download", file_id, "-o", f"{small_disk}/copy", *mode)
    assert (code, (small_disk / "copy").read_bytes()) == (0, source.read_bytes())
    assert [path.name for path in small_disk.iterdir() if path.is_file()] == ["copy"]
    # and where the client keeps its own state
    (torture.folder / "state" / "qkdclient").mkdir(parents=True, exist_ok=True)
    (small_disk / "filling").write_bytes(bytes(8 * 2**20 - 3_200_000))
    shutil.rmtree(torture.folder / "state")
    (torture.folder / "state").symlink_to(small_disk / "state")
    (small_disk / "state").mkdir()
    with (small_disk / "rest").open("wb", buffering=0) as rest:
        try:
            while rest.write(bytes(4096)):
                pass
        except OSError:
            pass
    code, said = run("upload", "source.bin", "--type", kept, *mode)
    assert (code, "No space left" in said, "Traceback" in said) == (Exit.FAILED, True, False)
    (small_disk / "rest").unlink()
    assert run("upload", "source.bin", "--type", kept, *mode)[0] == 0
    files = [f for f in torture.client.files.list(document_type=kept) if f["status"] != "rejected"]
    assert [(f["status"], f["size"]) for f in files] == [("encrypted", 3_000_000)]
