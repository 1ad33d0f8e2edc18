"""``make run`` as its user meets it: a real supervisor in a folder of its own, on free ports."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests

from apps.common import health
from apps.stack.ports import status_of
from tests import requirement
from tests.running import Run


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "local folder"


@pytest.fixture
def run(folder) -> Iterator[Callable[..., Run]]:
    made = []

    def run(**environment):
        made.append(Run(folder, **environment))
        return made[-1]

    yield run
    for each in made:
        if each.process.poll() is None:
            each.process.send_signal(signal.SIGTERM)
            each.ended()
        assert each.process.stdout
        each.process.stdout.close()


def all_gone(processes, seconds=10.0):
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("name", ["PORT", "AWS_PORT"])
def test_a_taken_port_is_named_with_its_holder_and_a_way_out(run, name):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        refused = run(**{name: str(port)})
        assert refused.ended() == 2
    assert f"port {port} on 127.0.0.1 is taken by" in refused.said
    assert f"(process {os.getpid()})" in refused.said
    assert f"{name}={port + 1} make run" in refused.said


def test_a_folder_of_another_version_is_refused(run, folder):
    folder.mkdir()
    (folder / "version").write_text("999\n")
    refused = run()
    assert refused.ended() == 2
    assert "version '999'" in refused.said
    assert "mv " in refused.said


@pytest.mark.e2e
@requirement("F1", "G1")
def test_first_and_second_start_and_a_clean_end(run, folder):
    first = run()
    said = first.ready()
    made = json.loads((folder / "first-run.json").read_text())
    assert set(made) == {"console_url", "user", "password", "api_key", "api_url"}
    assert (folder / "first-run.json").stat().st_mode & 0o777 == 0o600
    assert made["password"] in said
    assert made["api_key"] in said
    children = first.children()
    assert set(children) == {"aws", "web", "relay", "worker", "custody"}
    listening = [c for p in children.values() for c in p.net_connections() if c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}

    began = time.monotonic()
    first.process.send_signal(signal.SIGINT)
    assert first.ended() == 0
    assert time.monotonic() - began < 12
    assert "Stopped." in first.said
    assert all_gone(list(children.values()), 0.1)

    second = run()
    said = second.ready()
    assert made["password"] not in said
    assert json.loads((folder / "first-run.json").read_text()) == made
    (seconds,) = re.findall(r"Ready in ([\d.]+) s", said)
    assert float(seconds) < 30
    rival = run()
    assert rival.ended() == 2
    assert f"(process {second.process.pid})" in rival.said
    secrets = json.loads((folder / "secrets.json").read_text())
    logs = "".join(path.read_text() for path in (folder / "logs").iterdir())
    assert not [value for value in (*secrets.values(), made["password"], made["api_key"]) if value in logs]


@pytest.mark.e2e
@requirement("G1")
def test_a_killed_supervisor_leaves_nothing_and_the_next_start_works(run):
    first = run()
    first.ready()
    children = list(first.children().values())
    first.process.kill()
    first.ended()
    assert all_gone(children)
    assert "Ready" in run().ready()


@pytest.mark.e2e
@requirement("G1", "E5")
@pytest.mark.parametrize("name", ["aws", "relay", "worker", "web"])
def test_when_a_part_dies_it_is_started_again_and_everything_works(run, name):
    platform = run()
    platform.ready()
    before = platform.children()
    before[name].kill()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (was_replaced(platform, before[name]) and is_ready(platform)):
        time.sleep(0.2)
    after = settled(platform)
    # With the AWS those that poll it are started again, as they may hold connections that stay silent for ever
    with_it = {"custody", "worker"} if name == "aws" else set()
    assert {name} <= {n for n in after if after[n].pid != before[n].pid} <= {name} | with_it
    time.sleep(health.KEPT_SECONDS)  # for as long an answer from before counts
    while time.monotonic() < deadline and not is_ready(platform):
        time.sleep(0.2)
    assert is_ready(platform)


def settled(platform):
    """The parts, once all that are listed are there: some may be started again at this moment."""
    for _ in range(150):
        try:
            return platform.children()
        except psutil.NoSuchProcess:
            time.sleep(0.2)
    raise AssertionError("the parts keep ending")


def was_replaced(platform, child):
    known = json.loads((platform.folder / "children.json").read_text())
    return child.pid not in {entry["pid"] for entry in known}


def is_ready(platform):
    return status_of("127.0.0.1", platform.port, "/api/v1/health/ready") == 200


@pytest.mark.e2e
@requirement("E5", "I11")
def test_health_answers_in_time_while_the_embedded_aws_stands_still(run, folder):
    platform = run()
    platform.ready()
    key = json.loads((folder / "first-run.json").read_text())["api_key"]
    url = f"http://127.0.0.1:{platform.port}/api/v1/health"

    def ask(path="", headers=None):
        began = time.monotonic()
        answer = requests.get(url + path, headers=headers, timeout=30)
        return answer, time.monotonic() - began

    named = {"X-API-Key": key}
    assert {check["ok"] for check in ask("/ready", named)[0].json()["checks"]} == {True}
    aws = platform.children()["aws"]
    aws.suspend()
    try:
        time.sleep(1.1)
        with ThreadPoolExecutor(16) as threads:
            asked = [threads.submit(ask, "/ready", named if n == 0 else None) for n in range(12)]
            time.sleep(0.2)
            live = [ask() for _ in range(10)]
            answers = [each.result() for each in asked]
    finally:
        aws.resume()
    assert max(seconds for _, seconds in live) < 0.3
    assert {answer.status_code for answer, _ in live} == {200}
    assert max(seconds for _, seconds in answers) < 3.0
    assert {answer.status_code for answer, _ in answers} == {503}
    assert [set(answer.json()) for answer, _ in answers[1:]] == [{"status", "version"}] * 11
    silent = {check["name"] for check in answers[0][0].json()["checks"] if not check["ok"]}
    assert silent == {"tables", "buckets", "queue", "custody_queue", "root_key", "pool_keys", "quantum_keys"}


@pytest.mark.e2e
@requirement("G1")
def test_a_first_run_that_is_killed_in_the_middle_is_made_good(run, folder):
    first = run()
    deadline = time.monotonic() + 60
    while not (folder / "aws").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(1.0)
    first.process.kill()
    first.ended()
    assert "Ready" in run().ready()
    made = json.loads((folder / "first-run.json").read_text())
    assert made["user"] == "operator"
