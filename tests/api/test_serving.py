"""What really goes over a connection: answers to HEAD, and errors of the server itself (I8, E9)."""

import http.client
import json
import threading

import pytest
from django.urls import get_resolver

from tests import requirement
from tests.conftest import Api
from tests.serving import exchange, proxied, request, served
from tests.uploads import deliver, registered
from tests.waiting import LIMIT_SECONDS

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"


@pytest.fixture
def port(aws):
    with served() as found:
        yield found


def parsed(received: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and the rest of what was received."""
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    named = (line.partition(": ") for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, _, value in named}, rest


@requirement("E9", "I8")
def test_a_kept_connection_never_says_what_a_file_says(api: Api, stock, port):
    upload = registered(api, EVIL, media_type="text/plain")
    deliver(upload.event)
    sent = [
        request("HEAD", f"/api/v1/files/{upload.file_id}/content", {"X-API-Key": api.key}),
        request("GET", "/api/v1/health", close=True),
    ]
    status, headers, rest = parsed(exchange(port, b"".join(sent)))
    assert (status, headers["content-length"]) == (200, str(len(EVIL)))
    status, _, body = parsed(rest)
    assert (status, json.loads(body)["status"]) == (200, "ok")


@requirement("E9", "I8")
def test_nor_does_a_proxy_that_keeps_its_connections(api: Api, stock, port):
    upload = registered(api, EVIL)
    deliver(upload.event)
    with proxied(port) as before:
        for _ in range(3):
            client = http.client.HTTPConnection("127.0.0.1", before, timeout=LIMIT_SECONDS)
            client.request("HEAD", f"/api/v1/files/{upload.file_id}/content", headers={"X-API-Key": api.key})
            assert client.getresponse().read() == b""
            client.request("GET", "/api/v1/health")
            assert json.loads(client.getresponse().read())["status"] == "ok"
            client.close()


def addresses() -> list[str]:
    """Every address of the API without parameters, and pages that answer each in its own way."""
    routes = [str(pattern.pattern) for pattern in get_resolver("qkdplatform.api_urls").url_patterns]
    plain = [f"/{route}" for route in routes if route.startswith("api/") and "<" not in route]
    return [
        *plain,
        "/",
        "/admin/",
        "/admin/login/",
        "/static/admin/css/base.css",
        "/api/v1/nothing",
        "/nothing",
    ]


@requirement("E9")
@pytest.mark.django_db(transaction=True)
def test_no_answer_to_head_has_a_body(admin_api: Api, port):
    """Each is followed on the same connection by a request whose answer has to come next."""
    wrong = {}
    for address in addresses():
        for headers in ({"X-API-Key": admin_api.key}, {}, {"X-API-Key": "none.such"}):
            sent = request("HEAD", address, headers) + request("HEAD", address, headers, close=True)
            status, _, rest = parsed(exchange(port, sent))
            if rest and not rest.startswith(b"HTTP/1.1 "):
                wrong[address] = (status, rest[:40])
            if rest and parsed(rest)[2]:
                wrong[address] = (status, parsed(rest)[2][:40])
    assert wrong == {}


MALFORMED = {
    "no request": (b"nonsense\r\n\r\n", 400),
    "a header without a name": (b"GET / HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n", 400),
    "two lengths": (
        b"POST /api/v1/encrypt HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        400,
    ),
    "headers without end": (b"GET / HTTP/1.1\r\nX: " + b"x" * 2**18, 431),
    "another transfer encoding": (
        b"POST /api/v1/encrypt HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "an enormous body": (
        b"POST /api/v1/encrypt HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n",
        413,
    ),
}


@requirement("I8")
@pytest.mark.parametrize(("sent", "status"), MALFORMED.values(), ids=list(MALFORMED))
def test_errors_of_the_server_itself_are_problem_documents(port, sent, status):
    found, headers, body = parsed(exchange(port, sent))
    assert (found, headers["content-type"]) == (status, "application/problem+json")
    document = json.loads(body)
    assert document["status"] == status
    assert document["type"].startswith("http://127.0.0.1:8000/api/problems/")
    assert "waitress" not in body.decode()


@requirement("I8", "H1")
def test_many_connections_each_get_their_own_answers(api: Api, port):
    """Alternating HEAD and GET on kept connections, several at a time."""
    found: list[bool] = []

    def talk() -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
        for _ in range(10):
            client.request("HEAD", "/api/v1/files", headers={"X-API-Key": api.key})
            client.getresponse().read()
            client.request("GET", "/api/v1/health")
            found.append(json.loads(client.getresponse().read())["status"] == "ok")
        client.close()

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 40
