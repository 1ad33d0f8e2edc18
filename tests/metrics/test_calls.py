"""Calls of AWS are told: what they cost by the work that made them, and as spans; and what listens fails none of them (B6, G4)."""

import json
import logging
import os
import socket

import pytest
from botocore.exceptions import ClientError

from apps.access.roles import Role
from apps.common import calls, tracing
from apps.common.aws import client
from apps.common.calls import AwsCall
from apps.metrics import recording, spans, units
from apps.metrics.catalog import DECRYPTED_BYTES, TABLE_UNITS
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import Api
from tests.events import stream_insert
from tests.metrics.test_metrics import scraped  # noqa: F401 - the fixture
from tests.sessions.ready import ready
from tests.uploads import deliver, registered

pytestmark = requirement("B6", "G4")
READ = AwsCall("dynamodb", "GetItem", 1.0, 0.5, units=1.5)
WRITE = AwsCall("dynamodb", "TransactWriteItems", 1.0, 0.5, units=8)


@pytest.fixture
def told(monkeypatch):
    """Every call that was told, as watchers get it."""
    found: list[AwsCall] = []
    monkeypatch.setattr(calls, "_watchers", [found.append])
    return found


@pytest.fixture
def counted(monkeypatch):
    """What was recorded of units."""
    found: list[tuple[str, str, float]] = []

    def observe(metric, value, *, work, kind):
        assert metric is TABLE_UNITS
        found.append((work, kind, value))

    monkeypatch.setattr(units, "observe", observe)
    return found


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, 0.0),
        ({"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 2.5}}, 2.5),
        ({"ConsumedCapacity": [{"CapacityUnits": 4.0}, {"CapacityUnits": 2.0}, {"TableName": "t"}]}, 6.0),
        ({"ConsumedCapacity": None}, 0.0),
    ],
)
def test_units_are_read_as_dynamodb_tells_them(answer, expected):
    assert calls.units_of(answer) == expected


def test_units_count_for_the_innermost_work(counted):
    with units.spent_on(lambda: "queue"):
        units._count(READ)
        with units.spent_on(lambda: "job a"):
            units._count(WRITE)
            units._count(WRITE)
        tracing.in_thread(units._count)(READ)
    units._count(WRITE)
    assert counted == [("job a", "write", 16), ("queue", "read", 3.0), ("other", "write", 8)]


def test_what_is_spent_before_a_failure_counts(counted):
    with pytest.raises(RuntimeError), units.spent_on(lambda: "failing"):
        units._count(READ)
        raise RuntimeError
    assert counted == [("failing", "read", 1.5)]


def test_a_request_and_an_event_name_what_they_spent(api, stock, counted):
    api.get("files")
    handler(stream_insert(stock.session_id), None)
    works = {work for work, _, _ in counted}
    assert {"api/v1/files", "stream sessions"} <= works
    assert "other" not in works
    assert all(value > 0 for _, _, value in counted)


def test_every_client_tells_of_its_calls_and_failures(aws, told):
    client("s3").list_buckets()
    with pytest.raises(ClientError):
        client("s3").get_object(Bucket="none-such", Key="k")
    first, failed = (one for one in told if one.service == "s3")
    assert (first.operation, first.failure) == ("ListBuckets", "")
    assert (failed.operation, failed.failure) == ("GetObject", "NoSuchBucket")
    assert first.seconds >= 0


def test_a_watcher_that_fails_fails_no_call(api, monkeypatch, caplog):
    def broken(_):
        raise RuntimeError("broken")

    monkeypatch.setattr(calls, "_watchers", [broken])
    assert api.get("files").status_code == 200
    assert "is not accounted for" in caplog.text


def test_a_span_goes_to_the_daemon_beside_the_function(aws, settings, monkeypatch):
    settings.TRACES = "xray"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(5)
        root, parent = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"127.0.0.1:{daemon.getsockname()[1]}")
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={root};Parent={parent};Sampled=1;Lineage=a")
        with tracing.entered(tracing.of_request("asked-1"), job_id="j"):
            spans._tell(AwsCall("dynamodb", "Query", 10.0, 0.25, failure="Throttled", request_id="R"))
        header, body = daemon.recv(4096).split(b"\n", 1)
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={root};Parent={parent};Sampled=0")
        spans._tell(READ)
        daemon.settimeout(0.05)
        with pytest.raises(TimeoutError):
            daemon.recv(4096)
    assert json.loads(header) == {"format": "json", "version": 1}
    found = json.loads(body)
    assert (found["trace_id"], found["parent_id"], found["type"]) == (root, parent, "subsegment")
    assert (found["start_time"], found["end_time"], found["error"]) == (10.0, 10.25, True)
    assert found["aws"] == {"operation": "Query", "request_id": "R"}
    assert found["annotations"]["request_id"] == "asked-1"
    assert found["annotations"]["job_id"] == "j"


@pytest.mark.parametrize("place", ["", "nothing", "host:port", ":", "127.0.0.1:"])
def test_without_a_daemon_nothing_is_sent_and_nothing_fails(settings, monkeypatch, place):
    settings.TRACES = "xray"
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", place)
    monkeypatch.setenv(
        "_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    )
    spans._tell(READ)
    assert os.environ["AWS_XRAY_DAEMON_ADDRESS"] == place


def test_spans_are_lines_of_the_log_of_traces_that_are_recorded(api, settings, caplog):
    settings.TRACES = "log"
    caplog.set_level(logging.INFO)
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
    api.call("GET", "files", traceparent=f"{parent}-00")
    assert "span" not in caplog.text
    api.call("GET", "files", traceparent=f"{parent}-01")
    lines = [one.getMessage() for one in caplog.records if one.getMessage().startswith("span ")]
    assert lines
    assert all(json.loads(line[5:])["trace_id"] == parent[3:35] for line in lines)


def test_new_traces_are_recorded_as_often_as_is_set(settings):
    settings.TRACE_SAMPLE = 0.25
    count = sum(tracing.of_request(f"r{number}").sampled for number in range(4000))
    assert 850 < count < 1150
    settings.TRACE_SAMPLE = 0.0
    assert not any(tracing.of_request(f"r{number}").sampled for number in range(100))
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert tracing.of_request("r", traceparent=parent).sampled, "a caller's word counts"


def test_decrypted_bytes_are_those_given_out(api, pool, stock, scraped):  # noqa: F811
    recording.flush()
    upload = registered(api, b"x" * 1000)
    deliver(upload.event)
    assert api.get(f"files/{upload.file_id}/content").status_code == 200
    part = api.call("GET", f"files/{upload.file_id}/content", RANGE="bytes=10-109")
    assert part.status_code == 206
    ready(key_length=4096)
    sealed = api.post("encrypt", {"plaintext": "hello"}).json()
    assert api.post("decrypt", sealed).status_code == 200
    found = scraped()
    name = f"{DECRYPTED_BYTES.open_name}_total"
    assert found[name, 'kind="file"'] == 1100
    assert found[name, 'kind="message"'] == 5
    assert Api(Role.ADMINISTRATOR).get("audit").status_code == 200
