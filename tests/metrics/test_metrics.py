"""One list of metrics; what is recorded is shown, in the log or at /metrics, and never fails a request (B6, G4)."""

import json
import math
import os
import re
import sqlite3
import subprocess
import sys
import threading

import pytest
from django.test import Client

from apps.access.roles import Role
from apps.common.aws import client
from apps.detections import services as detections
from apps.metrics import derived, measuring, middleware, openmetrics, pages, recording, series, sinks
from apps.metrics.catalog import METRICS, NAMESPACE, QBER, REQUESTS, STOCK, VERDICTS, Kind
from apps.sessions import services as sessions
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS, Api
from tests.detections.test_services import pending
from tests.waiting import LIMIT_SECONDS

pytestmark = requirement("B6", "G4")
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (-?[0-9.e+-]+)')


@pytest.fixture
def scraped(settings, tmp_path):
    """Metrics go to a file of this test; returns every sample at /metrics by name and labels."""
    recording.flush()
    settings.METRICS, settings.METRICS_FILE = "openmetrics", str(tmp_path / "metrics.sqlite3")
    measuring._at[0] = float("-inf")

    def scrape():
        recording.flush()
        return samples(openmetrics.text(sinks.kept()))

    yield scrape
    recording.flush()


def samples(text):
    *lines, last = text.splitlines()
    assert last == "# EOF"
    found = {}
    for line in lines:
        if line.startswith("# "):
            assert re.fullmatch(r"# (TYPE|UNIT|HELP) qkd_[a-z_]+ .+", line), line
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        name, labels, value = sample.groups()
        assert (name, labels) not in found, "each sample stands once"
        found[name, labels or ""] = float(value)
    return found


def get(api, path="/metrics"):
    return Client(raise_request_exception=False).get(path, headers={"X-API-Key": api.key})


def test_every_metric_has_its_own_name_in_both_spellings():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert len({metric.open_name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"qkd_[a-z]+(_[a-z]+)*", metric.open_name)
        assert (metric.kind is Kind.DISTRIBUTION) == bool(metric.buckets)
        assert len(metric.dimensions) <= 3
        assert not {"id", "session", "file", "key", "actor", "owner"} & set(metric.dimensions)


def test_what_is_recorded_adds_up_by_its_kind(scraped):
    for value in (1.0, 2.0):
        recording.observe(VERDICTS, value, link="a", verdict="clean")
        recording.observe(STOCK, value, link="a")
        recording.observe(QBER, value, link="a")
    recording.flush()
    recording.observe(VERDICTS, 4, link="a", verdict="clean")
    found = scraped()
    assert found["qkd_verdicts_total", 'link="a",verdict="clean"'] == 7
    assert found["qkd_stock", 'link="a"'] == 2
    assert found["qkd_qber_percent_count", 'link="a"'] == 2
    assert found["qkd_qber_percent_sum", 'link="a"'] == 3
    assert found["qkd_qber_percent_bucket", 'link="a",le="1.0"'] == 1
    assert found["qkd_qber_percent_bucket", 'link="a",le="+Inf"'] == 2


def test_a_label_may_hold_anything(scraped):
    recording.observe(STOCK, 1, link='a"\\\n')
    assert scraped()["qkd_stock", 'link="a\\"\\\\\\n"'] == 1


def test_processes_and_threads_add_to_the_same_numbers(scraped, settings):
    def work():
        for _ in range(50):
            recording.observe(VERDICTS, link="a", verdict="clean")
            recording.flush()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    code = (
        "import os, django; django.setup()\n"
        "from apps.metrics import recording; from apps.metrics.catalog import VERDICTS\n"
        "recording.observe(VERDICTS, 1000, link='a', verdict='clean')\n"
        "child = os.fork()\n"
        "child and os.waitpid(child, 0)\n"  # both end, and send what is theirs
    )
    told = {"DJANGO_SETTINGS_MODULE": "tests.settings", "METRICS_FILE": settings.METRICS_FILE}
    code = code.replace(
        "django.setup()", "django.setup(); from django.conf import settings; settings.METRICS = 'openmetrics'"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=os.environ | told, check=True, timeout=LIMIT_SECONDS
    )
    for thread in threads:
        thread.join()
    assert scraped()["qkd_verdicts_total", 'link="a",verdict="clean"'] == 1200, "a fork sends nothing twice"


def test_the_page_needs_its_scope_and_shows_what_happened(scraped, template):
    session = pending(template, rate=0.03, expected=0.03, link="l")
    detections.judge(session.session_id, actor=TESTS)
    viewer = Api(Role.VIEWER)
    assert get(viewer, "/api/v1/qkd/sessions").status_code == 200
    assert get(viewer, f"/api/v1/qkd/session/{session.session_id}").status_code == 200
    assert Client().get("/metrics").status_code == 401
    assert get(Api(Role.CLIENT)).status_code == 403
    answer = get(viewer)
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    found = samples(answer.content.decode())
    assert found["qkd_verdicts_total", 'link="l",verdict="clean"'] == 1
    assert found["qkd_secret_bits_total", 'link="l"'] == session.final_key_length
    assert found["qkd_qber_percent_bucket", 'link="l",le="3.0"'] == 1
    assert found["qkd_verdict_lag_seconds_count", ""] == 1
    assert found["qkd_pool_keys", 'state="active"'] == found["qkd_dead_letters", ""] == 0
    assert found["qkd_stock", 'link="stock"'] == 0
    route = 'route="api/v1/qkd/session/<str:session_id>",method="GET"'
    assert found["qkd_requests_total", f'{route},status="2xx"'] == 1
    assert found["qkd_request_seconds_count", route] == 1
    assert found["qkd_refusals_total", 'event="access.denied"'] == 1
    assert session.session_id not in answer.content.decode(), "no id of anything"


def test_an_address_that_is_nowhere_makes_no_series_of_its_own(scraped, aws):
    for path in ("/none", "/api/v1/none", "/other"):
        Client().get(path)
    found = scraped()
    assert found["qkd_requests_total", 'route="unmatched",method="GET",status="4xx"'] == 3
    Client().generic("BREW", "/none")
    assert scraped()["qkd_requests_total", 'route="unmatched",method="other",status="4xx"'] == 1


def test_a_request_that_is_throttled_counts_as_such(scraped, rf):
    answer = middleware.Measured(lambda _: type("Answer", (), {"status_code": 429})())(rf.get("/x"))
    assert answer.status_code == 429
    assert scraped()["qkd_throttled_total", 'route="unmatched"'] == 1


@pytest.fixture
def template(aws):
    """A pending session that others are copied from."""
    return sessions.generate(sessions.GenerateRequest(key_length=256, error_rate=0.02), actor=TESTS)


def test_on_lambda_each_line_is_what_cloudwatch_takes(settings, capsys, monkeypatch, template):
    recording.flush()
    settings.METRICS = "emf"
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "qkdplatform-dev")
    session = pending(template, link="l")
    capsys.readouterr()
    detections.judge(session.session_id, actor=TESTS)
    recording.observe(QBER, 1.0, link="l")
    assert capsys.readouterr().out == "", "nothing is sent before the event ends"
    with pytest.raises(Exception, match="no handler"):
        handler({}, None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    known = {metric.name: metric for metric in METRICS}
    values = {}
    for line in lines:
        (told,) = line["_aws"]["CloudWatchMetrics"]
        assert told["Namespace"] == NAMESPACE
        for one in told["Metrics"]:
            metric = known[one["Name"]]
            assert (one["Unit"], told["Dimensions"]) == (metric.unit.value, [list(metric.dimensions)])
            assert all(line[name] for name in metric.dimensions)
            values[one["Name"]] = line[one["Name"]]
    assert values["Verdicts"] == [1.0]
    assert values["QBER"] == [2.0, 1.0]


@pytest.mark.parametrize("broken", ["sink", "buffer", "derived"])
def test_a_metrics_path_that_fails_fails_no_request(scraped, monkeypatch, broken):
    def fails(*_, **__):
        raise RuntimeError

    target = {"sink": "sinks.send", "buffer": "recording.Buffer.add", "derived": "derived.samples"}[broken]
    monkeypatch.setattr(f"apps.metrics.{target}", fails)
    assert Client().get("/api/v1/health").status_code == 200
    recording.record_entries([{"event": "file.encrypted", "outcome": "ok", "detail": {}}])
    recording.flush()


@pytest.mark.parametrize("content", [b"not a database", None])
def test_a_spoiled_file_costs_metrics_only(scraped, settings, content, tmp_path):
    if content is None:
        settings.METRICS_FILE = str(tmp_path)  # a folder
    else:
        (tmp_path / "metrics.sqlite3").write_bytes(content * 1000)
    assert Client().get("/api/v1/health").status_code == 200
    recording.flush()
    with pytest.raises(sqlite3.Error):
        sinks.kept()


def test_wrong_dimensions_are_refused_and_raise_nothing(caplog, scraped):
    recording.observe(VERDICTS, 1, link="a")
    recording.observe(REQUESTS, object(), route="a", method="GET", status="2xx")  # type: ignore[arg-type]
    assert len(caplog.records) == 2
    assert scraped() == {}


def test_what_callers_choose_does_not_fill_the_memory():
    buffer = recording.Buffer()
    for number in range(recording.MOST_SERIES + 10):
        buffer.add(STOCK, 1, {"link": str(number)})
    for _ in range(series.MOST_VALUES + 10):
        buffer.add(QBER, 1, {"link": "0" * 1000})
    taken = buffer.take()
    assert len(taken) == recording.MOST_SERIES
    buffer.add(QBER, 1, {"link": "0" * 1000})
    assert len(buffer.take()[0].dimensions["link"]) == recording.VALUE_LENGTH


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"size": "x", "messages": None, "qber": True, "link": 3, "bits": [], "keys": {}},
        {"size": math.nan, "messages": math.inf, "qber": -math.inf, "bits": 10**400, "keys": 1e300},
    ],
    ids=["nothing", "other types", "what no table stores"],
)
def test_whatever_an_entry_holds_can_be_counted(detail):
    for event in derived._COUNTED:
        for sample in derived.samples(event, "ok", detail):
            assert sample.dimensions.keys() == set(sample.metric.dimensions)
            assert isinstance(sample.value, float | int)
            assert abs(sample.value) <= derived.MOST


def test_one_gauge_that_fails_keeps_no_other_from_being_read(scraped, aws, caplog):
    client("sqs").delete_queue(
        QueueUrl=client("sqs").get_queue_url(QueueName="qkd-local-dead-letters")["QueueUrl"]
    )
    assert measuring.measure() > 0
    assert "cannot be read" in caplog.text
    assert ("qkd_jobs_open", "") in scraped()


def test_the_dashboard_asks_for_metrics_that_there_are():
    board = json.loads(pages.grafana())
    names = {metric.open_name for metric in METRICS}
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    assert len(queries) >= len(METRICS)
    for query in queries:
        (name,) = set(re.findall(r"qkd_[a-z_]+", query))
        assert re.sub("_(total|bucket)$", "", name) in names
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
