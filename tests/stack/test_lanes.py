"""Health is answered while every other thread of the web server waits for something."""

import http.client
import threading

import pytest

from apps.stack.lanes import HEALTH, LANES
from apps.stack.web import THREADS
from tests import requirement
from tests.serving import served
from tests.waiting import LIMIT_SECONDS, wait_for


@pytest.fixture
def release():
    return threading.Event()


@pytest.fixture
def hanging():
    """The requests that the application is at, and will not answer."""
    return []


@pytest.fixture
def server(release, hanging):
    def application(environ, start_response):
        if environ["PATH_INFO"] != HEALTH:
            hanging.append(environ["PATH_INFO"])
            release.wait(LIMIT_SECONDS)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with served(application) as port:
        yield port
        release.set()


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS / 2)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


@requirement("E5", "I11")
@pytest.mark.parametrize("path", ["/api/v1/keys", "/api/v1/health/ready"])
def test_liveness_answers_while_all_else_hangs(server, release, hanging, path):
    waiting = [threading.Thread(target=ask, args=(server, path)) for _ in range(24)]
    for thread in waiting:
        thread.start()
    try:
        wait_for(lambda: len(hanging) == LANES.get(path, THREADS))
        assert [ask(server, HEALTH) for _ in range(10)] == [b"ok"] * 10
        assert len(hanging) == LANES.get(path, THREADS), "every thread of the others still hangs"
    finally:
        release.set()
        for thread in waiting:
            thread.join()
