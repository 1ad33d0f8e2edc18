"""A web worker ends when it is told to, whatever its requests wait for, and answers those that it can."""

import http.client
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from apps.stack import serving
from apps.stack.configuration import ROOT
from apps.stack.lanes import LANES
from apps.stack.serving import STUCK_SECONDS, Serving, Stuck
from apps.stack.web import THREADS, make_server
from tests import requirement
from tests.waiting import LIMIT_SECONDS, wait_for


class Worker:
    """One web worker in a process of its own."""

    def __init__(self, folder, *, files=0, stuck=STUCK_SECONDS, grace=1e9):
        """``grace``: seconds after which it ends whatever its requests wait for."""
        self.begun, self.released = folder / "begun", folder / "released"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.stack.serving_script"),
                *(str(self.begun), str(self.released), str(files), str(stuck), str(grace)),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def asked(self, path):
        """A request that is under way."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_SECONDS)
        connection.request("GET", path)
        return connection


@pytest.fixture
def worker(tmp_path):
    made = Worker(tmp_path)
    yield made
    made.process.kill()
    made.process.communicate()


@requirement("G1", "E5")
def test_it_ends_while_requests_hang_in_every_lane(tmp_path):
    worker = Worker(tmp_path, grace=0.5)
    try:
        asked = [worker.asked(path) for path in ("/hangs", *LANES)]
        worker.process.terminate()
        assert worker.process.wait(timeout=LIMIT_SECONDS) == 0
        for connection in asked:
            connection.close()
    finally:
        worker.process.kill()
        worker.process.communicate()


@requirement("G1", "I4")
def test_a_request_under_way_is_answered_whole_before_the_end(worker):
    asked, told = worker.asked("/waits"), threading.Event()
    received = []

    def read():
        told.wait(LIMIT_SECONDS)
        received.append(len(asked.getresponse().read()))

    reader = threading.Thread(target=read)
    reader.start()
    wait_for(worker.begun.exists)
    worker.process.terminate()
    worker.released.touch()
    told.set()
    reader.join()
    asked.close()
    assert received == [8_000_000]
    assert worker.process.wait(timeout=LIMIT_SECONDS) == 0


@requirement("G1")
def test_a_signal_that_comes_in_the_middle_of_a_thunk_is_not_lost(worker):
    asked = worker.asked("/thunk")
    assert len(asked.getresponse().read()) == 8_000_000
    asked.close()
    assert worker.process.wait(timeout=LIMIT_SECONDS) == 0


@requirement("G1", "E5")
def test_one_that_no_longer_listens_ends_so_that_it_is_started_again(worker):
    """It lived on, refused every connection, and nobody noticed."""
    asked = worker.asked("/broken")
    assert worker.process.wait(timeout=LIMIT_SECONDS) == 1
    asked.close()
    said = "".join(worker.process.communicate())
    assert "the web worker cannot go on" in said
    assert "NoLongerListens" in said


@requirement("G1", "E5")
def test_one_that_has_a_thousand_files_open_answers(tmp_path):
    """``select`` takes none that is numbered beyond 1023: with its 1024th file, it ended."""
    made = Worker(tmp_path, files=1024)
    try:
        made.released.touch()
        asked = made.asked("/waits")
        assert len(asked.getresponse().read()) == 8_000_000
        asked.close()
        made.process.terminate()
        assert made.process.wait(timeout=LIMIT_SECONDS) == 0
    finally:
        made.process.kill()
        made.process.communicate()


@requirement("G1", "E5")
def test_one_whose_threads_never_come_back_ends_and_says_where_they_are(tmp_path):
    """Health has a thread of its own: all seemed well, and the console answered nobody."""
    made = Worker(tmp_path, stuck=0.1)
    try:
        asked = [made.asked("/hangs") for _ in range(THREADS + 1)]
        assert made.process.wait(timeout=LIMIT_SECONDS) == 1
        for connection in asked:
            connection.close()
        said = "".join(made.process.communicate())
    finally:
        made.process.kill()
    assert "Stuck" in said
    assert "serving_script.py" in said


@requirement("F1")
def test_a_name_of_two_addresses_is_listened_at_by_one_server(monkeypatch):
    """``BIND=localhost`` where that is 127.0.0.1 and ::1: the console ended at once."""
    found = socket.getaddrinfo("127.0.0.1", None, type=socket.SOCK_STREAM)
    asked = socket.getaddrinfo

    def both(host, *arguments, **named):
        return [*found, *found] if host == "two.example" else asked(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", both)
    server = make_server(lambda *_: [], host="two.example", port=0)
    try:
        assert server.socket.getsockname()[0] == "127.0.0.1"
    finally:
        server.close()
        server.task_dispatcher.shutdown()


class Looked:
    """What is seen of the lanes at each look, by a clock of its own."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(serving, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.lanes = SimpleNamespace(first_waiting=[])
        channels = {1: SimpleNamespace(total_outbufs_len=0)}
        server = SimpleNamespace(
            adj=SimpleNamespace(outbuf_high_watermark=10),
            active_channels=channels,
            task_dispatcher=self.lanes,
        )
        self.channel, self.serving = channels[1], Serving(server)

    def again(self, seconds, *first):
        """So many seconds later, with these connections next in their lanes."""
        self.now += seconds
        self.lanes.first_waiting = list(first)
        self.serving._look_at_lanes()


@pytest.fixture
def looked(monkeypatch):
    return Looked(monkeypatch)


def test_one_whose_threads_are_slow_goes_on(looked):
    for turn in range(1000):
        looked.again(1.0, f"waits {turn // 250}", "health")
        if turn % 100 == 0:
            looked.again(1.0)


def test_one_request_that_waits_for_ever_ends_it(looked):
    with pytest.raises(Stuck):
        for turn in range(1000):
            looked.again(1.0, f"health {turn}", "waits")
    assert STUCK_SECONDS < looked.now < STUCK_SECONDS + 3


def test_one_that_stood_still_itself_goes_on(looked):
    for _ in range(10):
        looked.again(3600.0, "waits")


def test_one_whose_threads_wait_for_slow_clients_goes_on(looked):
    looked.channel.total_outbufs_len = 11
    for _ in range(1000):
        looked.again(1.0, "waits")
