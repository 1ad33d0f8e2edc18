"""A hundred applications, served by several processes that are killed meanwhile: no key twice, none lost (E10, I3)."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.conf import settings

from apps.audit.verification import verify
from apps.kme.store import DeliveredKeyTable
from apps.sessions import leases, stock
from apps.sessions.store import QuantumKeyTable
from tests import requirement
from tests.conftest import forget_everything
from tests.embedded import on_embedded_aws
from tests.kme.saes import an_application, authority
from tests.sessions.ready import long

PROCESSES, SAES, DRAWS, NUMBER = 4, 25, 2, 2


@pytest.fixture
def aws(tmp_path) -> Iterator[None]:
    forget_everything()
    with on_embedded_aws(tmp_path / "aws"):
        yield
    forget_everything()


def started(saes: list[str]) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "tests.kme.drawing_script",
        str(authority().folder),
        str(DRAWS),
        str(NUMBER),
        *saes,
    ]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "ROOT_KEY": settings.ROOT_KEY}
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=settings.BASE_DIR,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@requirement("E10", "I3")
def test_processes_serve_a_hundred_applications_and_one_of_them_is_killed(aws, later, monkeypatch):
    long(1024)
    bob = an_application("sae-bob")
    names = [[f"sae-{process}-{n}" for n in range(SAES)] for process in range(PROCESSES)]
    applications = {name: an_application(name, "sae-bob") for part in names for name in part}
    running = [started(part) for part in names]
    for one in running:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in running:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    assert running[0].stdout is not None
    lines = [running[0].stdout.readline() for _ in range(5)]
    running[0].kill()  # whatever it was at
    for one in running:
        out, _ = one.communicate(timeout=280)
        lines += out.splitlines()
    told = [json.loads(line) for line in lines if line.endswith(("]", "]\n"))]
    assert [one.returncode for one in running] == [-9, 0, 0, 0]
    ids = [key_id for _, found, _ in told for key_id in found]
    digests = [digest for _, _, found in told for digest in found]
    assert len(ids) == len(set(ids)) == len(set(digests)) >= (PROCESSES - 1) * SAES * DRAWS * NUMBER
    for sae_id, found, made in told:
        collected = bob.dec_keys(sae_id, *found).keys
        assert [hashlib.sha256(key).hexdigest() for _, key in collected] == made
    pieces = [piece for row in DeliveredKeyTable.scan() for piece in row.pieces]
    assert len(pieces) == len(set(pieces)) == sum(1 for _ in QuantumKeyTable.scan())
    later(seconds=leases.LEASE_SECONDS + 1)
    monkeypatch.setattr(stock, "refill", lambda: 0)
    monkeypatch.setattr(settings, "STOCK_RESERVED", 0)
    alice = applications[names[1][0]]
    rest = 0
    for number in (16, 1):
        while (answer := alice.enc_keys("sae-bob", number=number)).status == 200:
            rest += len(answer.keys)
    assert len(pieces) + rest == 1024, "what the killed process held came back"
    assert verify().problems == []
