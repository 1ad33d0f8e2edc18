"""Processes of ``make run``: none of them outlives it."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from apps.stack import children, ports, testing, tether
from apps.stack.children import Child, end_leftovers, remember, stop
from tests import requirement
from tests.waiting import wait_for

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]


def never():
    return False


def is_gone(process):
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def patient(monkeypatch):
    """However long it takes to end: nobody is killed for that."""
    monkeypatch.setattr(children, "GRACE_SECONDS", 1e9)


@pytest.fixture
def start(tmp_path):
    made = []

    def start(command=SLEEP, name="child"):
        child = Child(name, command, dict(os.environ), tmp_path)
        made.append(child)
        wait_for(lambda: child.exit_code is not None or child.log.read_bytes())
        return child

    yield start
    for child in made:
        child.kill()


@pytest.mark.usefixtures("patient")
def test_a_child_is_asked_to_end(start):
    child = start()
    stop([child], forced=never)
    assert child.exit_code == -signal.SIGTERM


def test_a_child_that_does_not_listen_is_killed(start, monkeypatch):
    monkeypatch.setattr(children, "GRACE_SECONDS", 0.2)
    child = start(STUBBORN)
    stop([child], forced=never)
    assert child.exit_code == -signal.SIGKILL


@pytest.mark.usefixtures("patient")
def test_force_does_not_wait(start):
    child = start(STUBBORN)
    stop([child], forced=lambda: True)
    assert child.exit_code == -signal.SIGKILL


def test_what_a_child_started_ends_with_it(start):
    script = f"import subprocess; subprocess.Popen({SLEEP!r}); import time; time.sleep(600)"
    child = start([sys.executable, "-c", script])
    (grandchild,) = psutil.Process(child.process.pid).children()
    child.kill()
    wait_for(lambda: is_gone(grandchild))


def test_errors_are_shown_once_and_whole_lines_only(start):
    script = "print('x ERROR [a] broken'); print('fine'); print('y ERROR part', end='', flush=True); import time; time.sleep(600)"
    child = start([sys.executable, "-c", script])
    wait_for(lambda: child.log.read_bytes().endswith(b"part") or child.exit_code is not None)
    first = child.new_errors()
    assert first == ["x ERROR [a] broken"]
    assert "x ERROR" in child.tail()


def test_a_log_starts_anew_and_the_last_one_is_kept(start, tmp_path):
    start().kill()
    start([sys.executable, "-c", "print('second', flush=True)"])
    assert (tmp_path / "child.log.1").read_text() == "up\n"
    assert "second" in (tmp_path / "child.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_a_child_ends_when_its_parent_is_killed():
    script = (
        f"import os, subprocess, sys, time; "
        f"p = subprocess.Popen([sys.executable, {tether.__file__!r}, str(os.getpid()), *{SLEEP!r}]); "
        f"print(p.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        assert parent.stdout.readline() == "up\n"
        parent.kill()
    wait_for(lambda: is_gone(child))


def test_a_tether_without_its_parent_does_not_start():
    command = [sys.executable, tether.__file__, "1", sys.executable, "-c", "print('started')"]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")


@requirement("G1")
def test_leftovers_of_an_earlier_run_are_ended_but_nobody_else(start, tmp_path):
    ours, other = start(name="ours"), start(name="other")
    remember(tmp_path / "children.json", [ours, other])
    known = json.loads((tmp_path / "children.json").read_text())
    known[1]["command"] = ["something", "else"]  # as if the number had gone to another program
    (tmp_path / "children.json").write_text(json.dumps(known))
    assert end_leftovers(tmp_path / "children.json") == [ours.process.pid]
    assert not psutil.pid_exists(ours.process.pid)
    assert other.exit_code is None
    assert end_leftovers(tmp_path / "children.json") == []


def test_a_taken_port_is_known_with_its_holder():
    port = testing.free_port()
    assert ports.is_free("127.0.0.1", port)
    script = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); print('up', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert not ports.is_free("127.0.0.1", port)
        assert f"(process {holder.pid})" in ports.holder(port)
        holder.kill()
    assert ports.status_of("127.0.0.1", port, "/") is None
