"""Health is answered while every other thread of the web server waits for something."""

import http.client
import threading
import time

import pytest

from tests import requirement
from tests.serving import served


@pytest.fixture
def release():
    return threading.Event()


@pytest.fixture
def server(release):
    def application(environ, start_response):
        if not environ["PATH_INFO"].endswith("/health"):
            release.wait(20)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with served(application) as port:
        yield port
        release.set()


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


@requirement("E5", "I11")
@pytest.mark.parametrize("path", ["/api/v1/keys", "/api/v1/health/ready"])
def test_liveness_answers_in_milliseconds_while_all_else_hangs(server, release, path):
    waiting = [threading.Thread(target=ask, args=(server, path)) for _ in range(24)]
    for thread in waiting:
        thread.start()
    time.sleep(0.3)
    for _ in range(10):
        began = time.monotonic()
        assert ask(server, "/api/v1/health") == b"ok"
        assert time.monotonic() - began < 0.5  # a busy machine
    release.set()
    for thread in waiting:
        thread.join()
