"""Two sites as ``make run-two-sites`` starts them, an application at each end, and every part killed in the middle (A11)."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from apps.stack import testing
from apps.stack.configuration import ROOT
from tests import requirement

AGAIN_SECONDS = 120
MASTERS = (("sae-alice", "sae-bob"), ("sae-bob", "sae-alice"))
LINK_PARTS = ("channel", "link-alice", "link-bob")  # without them no new key is made
KMES = ("kme of site-a", "kme of site-b")
LOW_WATER, MOST = 64, 16  # as two_sites makes the link; keys of a request


class Pair:
    """Both sites, and an application at each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = testing.free_port(following=15)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "apps.stack.two_sites"],
            cwd=ROOT,
            env={**os.environ, "LOCAL_DIR": str(folder), "PORT": str(self.base), "JOURNAL_FSYNC": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout
        said = ""
        while "Ready:" not in said:
            line = self.process.stdout.readline()
            assert line, said
            said += line

    def ask(self, sae: str, path: str, body: Any = None) -> Any:
        """The JSON that an application of a site is answered, or None where it is told to ask later."""
        port = self.base + (2 if sae == "sae-alice" else 12)
        own = self.folder / "certificates"
        try:
            answer = requests.request(
                "GET" if body is None else "POST",
                f"https://127.0.0.1:{port}/api/v1/keys/{path}",
                cert=(str(own / f"{sae}.pem"), str(own / f"{sae}.key")),
                verify=str(own / "ca.pem"),
                json=body,
                timeout=60,
            )
        except requests.ConnectionError:
            return None  # it is being started again
        assert answer.status_code in {200, 400, 503}, answer.text
        return answer.json() if answer.status_code == 200 else None

    def asked(self, sae: str, path: str) -> Any:
        """What an application is answered at last."""
        ends = time.monotonic() + AGAIN_SECONDS
        while (found := self.ask(sae, path)) is None:
            assert time.monotonic() < ends, self.logs()
            time.sleep(0.2)
        return found

    def draw(self, master: str, slave: str, number: int = 2) -> dict[str, str]:
        """Keys that a master is given at last."""
        found = self.asked(master, f"{slave}/enc_keys?number={number}")
        return {one["key_ID"]: one["key"] for one in found["keys"]}

    def stored(self, master: str, slave: str) -> int:
        return int(self.asked(master, f"{slave}/status")["stored_key_count"])

    def drain(self, master: str, slave: str) -> dict[str, str]:
        """Keys, until so few are left that a session is wanted."""
        given: dict[str, str] = {}
        while self.stored(master, slave) >= LOW_WATER:
            given |= self.draw(master, slave, MOST)
        return given

    def outlast(self, master: str, slave: str, session: int) -> dict[str, str]:
        """More keys than are there now, or come of a session that is made already."""
        enough = self.stored(master, slave) + session
        given: dict[str, str] = {}
        while len(given) <= enough:
            given |= self.draw(master, slave, MOST)
        return given

    def collect(self, slave: str, master: str, key_ids: Sequence[str]) -> dict[str, str] | None:
        body = {"key_IDs": [{"key_ID": one} for one in key_ids]}
        found = self.ask(slave, f"{master}/dec_keys", body)
        return None if found is None else {one["key_ID"]: one["key"] for one in found["keys"]}

    def logs(self) -> str:
        return "\n".join(path.read_text()[-1500:] for path in self.folder.glob("link-*.log"))

    def kill(self, part: str) -> None:
        """kill -9 a process; what started it starts it again."""
        site = part.rpartition(" ")[2]
        known = (
            self.folder / site / "children.json" if part.startswith("kme") else self.folder / "children.json"
        )
        wanted = {"channel": "run_quantum_channel", "link-alice": "--listen", "link-bob": "--connect"}.get(
            part, "run_kme"
        )
        (pid,) = {
            entry["pid"]
            for entry in json.loads(known.read_text())
            if wanted in entry["command"]
            and (part == "channel" or "run_quantum_channel" not in entry["command"])
        }
        psutil.Process(pid).kill()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path / "two")
    yield made
    made.process.terminate()
    made.process.communicate(timeout=120)
    assert made.process.returncode == 0


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(900)
@requirement("A11", "E10", "I3")
def test_both_sites_deliver_the_same_keys_whatever_is_killed(pair):
    given = {pairing: pair.draw(*pairing) for pairing in MASTERS}
    session = max(pair.stored(*pairing) for pairing in MASTERS) + MOST
    for part, pairing in zip(LINK_PARTS, itertools.cycle(MASTERS), strict=False):
        given[pairing] |= pair.drain(*pairing)
        pair.kill(part)
        given[pairing] |= pair.outlast(*pairing, session)
    for part in KMES:
        pair.kill(part)
        for pairing in MASTERS:
            given[pairing] |= pair.draw(*pairing)
    keys = [key for found in given.values() for key in found.values()]
    assert len(keys) == len(set(keys))
    for (master, slave), found in given.items():
        for start in range(0, len(found), MOST):
            key_ids = list(found)[start : start + MOST]
            assert pair.collect(slave, master, key_ids) == {one: found[one] for one in key_ids}
            assert pair.collect(slave, master, key_ids[:1]) is None, "once"
