"""``make run`` as its user meets it: a real supervisor in a folder of its own, on free ports."""

import contextlib
import json
import os
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
from tests.waiting import LIMIT_SECONDS, wait_for


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "local folder"


@pytest.fixture
def run(folder) -> Iterator[Callable[..., Run]]:
    made = []

    def run(folder=folder, **environment):
        made.append(Run(folder, **environment))
        return made[-1]

    yield run
    for each in made:
        end(each)


def end(running: Run) -> None:
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        running.ended()
    running.close()


def all_gone(processes, seconds=LIMIT_SECONDS):
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


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Iterator[Run]:
    """One that runs for several tests, as a start takes longer than they do."""
    made = Run(tmp_path_factory.mktemp("platform") / "local folder")
    made.ready()
    yield made
    end(made)


def first_run(platform):
    return json.loads((platform.folder / "first-run.json").read_text())


@pytest.mark.e2e
@requirement("F1", "G1")
def test_a_first_start_says_how_to_sign_in_and_listens_on_loopback(platform):
    made = first_run(platform)
    assert set(made) == {"console_url", "user", "password", "api_key", "api_url"}
    assert (platform.folder / "first-run.json").stat().st_mode & 0o777 == 0o600
    assert made["password"] in platform.said
    assert made["api_key"] in platform.said
    children = platform.children()
    assert set(children) == {"aws", "web", "relay", "worker", "custody"}
    listening = [c for p in children.values() for c in p.net_connections() if c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


@pytest.mark.e2e
@requirement("G1")
def test_a_second_one_in_the_same_folder_is_refused(platform):
    rival = Run(platform.folder)
    assert rival.ended() == 2
    rival.close()
    assert f"(process {platform.process.pid})" in rival.said


@pytest.mark.e2e
@requirement("G1", "E5")
# The AWS last: one that starts while there is none may end once more
@pytest.mark.parametrize("name", ["relay", "worker", "web", "aws"])
def test_when_a_part_dies_it_is_started_again_and_everything_works(platform, name):
    wait_for(lambda: is_ready(platform))
    before = settled(platform)
    # With the AWS those that poll it are started again, as they may hold connections that stay silent for ever
    others = {"aws": {"custody", "worker"}}.get(name, set())
    before[name].kill()
    wait_for(lambda: all(was_replaced(platform, before[n]) for n in {name} | others) and is_ready(platform))
    after = settled(platform)
    assert {n for n in after if after[n].pid != before[n].pid} == {name} | others
    time.sleep(health.KEPT_SECONDS)  # for as long an answer from before counts
    wait_for(lambda: is_ready(platform))


def settled(platform):
    """The parts, once all that are listed are there: some may be started again at this moment."""
    found = []

    def look():
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(platform.children())
        return found

    wait_for(look)
    return found[0]


def was_replaced(platform, child):
    known = json.loads((platform.folder / "children.json").read_text())
    return child.pid not in {entry["pid"] for entry in known}


def is_ready(platform):
    return status_of("127.0.0.1", platform.port, "/api/v1/health/ready") == 200


@pytest.mark.e2e
@requirement("E5", "I11")
def test_health_answers_while_the_embedded_aws_stands_still(platform):
    """In which time, tests/access/test_health.py shows: here the machine may have anything else to do."""
    key = first_run(platform)["api_key"]
    url = f"http://127.0.0.1:{platform.port}/api/v1/health"

    def ask(path="", headers=None):
        return requests.get(url + path, headers=headers, timeout=LIMIT_SECONDS)

    named = {"X-API-Key": key}

    def ask_while_it_stands_still():
        """What was answered meanwhile; None where the supervisor had started another one before all was answered."""
        wait_for(lambda: {check["ok"] for check in ask("/ready", named).json()["checks"]} == {True})
        aws = settled(platform)["aws"]
        aws.suspend()
        try:
            wait_for(lambda: ask("/ready").status_code == 503 or was_replaced(platform, aws))
            with ThreadPoolExecutor(16) as threads:
                asked = [threads.submit(ask, "/ready", named if n == 0 else None) for n in range(12)]
                live = [ask() for _ in range(10)]
                answers = [each.result() for each in asked]
            return None if was_replaced(platform, aws) else (live, answers)
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                aws.resume()

    while (answered := ask_while_it_stands_still()) is None:
        pass
    live, answers = answered
    assert {answer.status_code for answer in live} == {200}
    assert {answer.status_code for answer in answers} == {503}
    assert [set(answer.json()) for answer in answers[1:]] == [{"status", "version"}] * 11
    silent = {check["name"] for check in answers[0].json()["checks"] if not check["ok"]}
    assert silent >= {"tables", "buckets", "queue", "custody_queue", "root_key", "pool_keys", "quantum_keys"}


@pytest.mark.e2e
@requirement("F1", "G1")
def test_a_killed_supervisor_leaves_nothing_and_the_next_start_works_and_ends_as_asked(platform, run):
    made = first_run(platform)
    children = list(settled(platform).values())
    platform.process.kill()
    platform.ended()
    assert all_gone(children)
    second = run(folder=platform.folder)
    said = second.ready()
    assert made["password"] not in said
    assert first_run(platform) == made
    wait_for(lambda: is_ready(second))
    children = list(settled(second).values())
    second.process.send_signal(signal.SIGINT)
    assert second.ended() == 0
    assert "Stopped." in second.said
    assert all_gone(children, 0.1)
    secrets = json.loads((platform.folder / "secrets.json").read_text())
    logs = "".join(path.read_text() for path in (platform.folder / "logs").iterdir())
    assert not [value for value in (*secrets.values(), made["password"], made["api_key"]) if value in logs]


@pytest.mark.e2e
@requirement("G1")
def test_a_first_run_that_is_killed_in_the_middle_is_made_good(run, folder):
    first = run()
    wait_for((folder / "aws").exists)
    time.sleep(1.0)  # somewhere in the middle: wherever, the next run has to make it good
    first.process.kill()
    first.ended()
    second = run()
    second.ready()
    wait_for(lambda: is_ready(second))
    made = json.loads((folder / "first-run.json").read_text())
    assert made["user"] == "operator"
