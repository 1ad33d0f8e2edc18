"""A web worker ends when it is told to, whatever its requests wait for, and answers those that it can."""

import http.client
import subprocess
import sys
import threading

import pytest

from apps.stack.configuration import ROOT
from apps.stack.lanes import LANES
from tests import requirement
from tests.waiting import LIMIT_SECONDS, wait_for


class Worker:
    """One web worker in a process of its own."""

    def __init__(self, folder, *, files=0, grace=1e9):
        """``grace``: seconds after which it ends whatever its requests wait for."""
        self.begun, self.released = folder / "begun", folder / "released"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.stack.serving_script"),
                *(str(self.begun), str(self.released), str(files), str(grace)),
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
