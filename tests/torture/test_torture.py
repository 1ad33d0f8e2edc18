"""TORTURE_SECONDS (600) of torture, then quiet, then everything that was acknowledged is read back."""

import json
import os
import subprocess
import threading
import time

import psutil
import pytest

from tests import requirement
from tests.torture.adversary import Adversary
from tests.torture.clients import Client, Log
from tests.torture.tortured import Platform

SECONDS = float(os.environ.get("TORTURE_SECONDS", "600"))
QUIET_SECONDS = 600.0
CLIENTS = 8
DISK = "1500m"


@pytest.fixture
def disk(tmp_path_factory):
    """A small disk of its own where that may be mounted, to be filled up; else a folder."""
    folder = tmp_path_factory.mktemp("torture")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    yield folder, mounted
    if mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def platform(disk):
    made = Platform(disk[0] / "local")
    yield made
    made.stop()


@pytest.fixture
def log(disk):
    made = Log(disk[0] / "acknowledged.jsonl")
    yield made
    made.close()


@requirement("B1", "C1", "C6", "E5", "G5", "I1", "I3", "I4", "I5")
@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(int(SECONDS + QUIET_SECONDS + 1800))
def test_nothing_acknowledged_is_lost_wrong_or_stuck(platform, log, disk, capsys):
    stop = threading.Event()
    adversary = Adversary(platform, stop, small_disk=disk[1])
    clients = [Client(platform, log, stop) for _ in range(CLIENTS)]
    for thread in (adversary, *clients):
        thread.start()
    time.sleep(SECONDS)
    stop.set()
    for thread in (adversary, *clients):
        thread.join(timeout=300)
    adversary.calm()
    calmed, said = platform.starts, len(platform.said)
    report = {"acknowledged": dict(log.counts), "torture": dict(adversary.done), "starts": calmed}
    with capsys.disabled():
        quiet = until_quiet(platform)
    lost, wrong = read_back(platform, log)
    redriven = platform.managed("redrive", "--limit", "1000")
    verified = platform.managed("verify_audit", "--records")
    report |= {
        "quiet after s": round(quiet, 1),
        "lost": lost,
        "wrong": wrong + log.wrong,
        "MiB left on its disk": psutil.disk_usage(str(platform.folder)).free >> 20,
        "scan": scan(platform),
    }
    report["dead letters"] = redriven.stdout.splitlines()[-3:] or redriven.stderr.splitlines()[-3:]
    report["stuck"] = platform.managed("stuck").stdout.splitlines()
    report["said since the faults stopped"] = platform.said[said:][-60:]
    report["trail"] = verified.stdout.splitlines()[-1:] or verified.stderr.splitlines()[-3:]
    with capsys.disabled():
        print("\n" + json.dumps(report, indent=1))  # noqa: T201 - the figures
    assert not adversary.failed
    assert platform.starts == calmed, "it gave up although nothing was done to it any more"
    assert (lost, report["wrong"], report["scan"]["problems"]) == ([], [], [])
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert not any(report["scan"]["stuck"].values())


def scan(platform):
    """What stands in the tables, once they answer: a part may just be started again."""
    deadline = time.monotonic() + 120
    while True:
        platform.ensure_running()
        done = platform.beside("tests.torture.scan_script")
        if done.returncode == 0:
            return json.loads(done.stdout)
        assert time.monotonic() < deadline, done.stderr[-2000:] + "\n".join(platform.said[-30:])
        time.sleep(5)


def until_quiet(platform):
    """Seconds until nothing is under way any more, at most QUIET_SECONDS."""
    began = time.monotonic()
    while time.monotonic() - began < QUIET_SECONDS:
        time.sleep(10)
        stuck = {what: len(some) for what, some in scan(platform)["stuck"].items() if some}
        print(f"quiet for {time.monotonic() - began:.0f} s, under way: {stuck}", flush=True)  # noqa: T201 - for who waits
        if not stuck:
            break
    return time.monotonic() - began


def read_back(platform, log):
    lost, wrong = [], []
    for text, package in log.messages:
        answer = platform.asked("POST", "decrypt", {**package, "context": "torture"})
        if not answer.ok:
            lost.append(f"message: {answer.status_code} {answer.text[:300]}")
        elif answer.json()["plaintext"] != text:
            wrong.append("message")
    for file_id, contents in log.files.items():
        answer = platform.asked("GET", f"files/{file_id}/content")
        if not answer.ok:
            shown = platform.asked("GET", f"files/{file_id}")
            lost.append(
                f"file {file_id} is {shown.json().get('status')}: {answer.status_code} {answer.text[:300]}"
            )
        elif answer.content not in contents:
            wrong.append(f"file {file_id}")
    return lost, wrong
