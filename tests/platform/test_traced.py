"""One id, that the API gave back, finds everything that followed: through the queue, the streams, the trail and what is told (D1, B8)."""

import base64
import json
import logging
import re
import uuid

import pytest
from django.conf import settings as django_settings

from apps.access.roles import Role
from apps.audit import services as audit
from apps.cases.trail import CaseEvent
from apps.common import tracing
from apps.common.aws import client
from apps.common.tracing import Trace, WithIds, of_request, of_text
from apps.custody.lanes import Lanes
from apps.custody.pace import Pace
from apps.files.store import FileTable
from apps.jobs import services as jobs
from apps.jobs.store import JobTable
from apps.sessions.store import SessionTable
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS, Api
from tests.events import stream_insert
from tests.notices.test_notices import Receiver
from tests.platform.test_queues import CONTEXT, sqs_event
from tests.tables import everything, rows
from tests.trail_stream import event, records
from tests.uploads import registered

pytestmark = requirement("D1", "B8")
TRACE_ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT}-01"
ATTACKED = {"kind": "intercept_resend", "fraction": 1.0}


@pytest.fixture
def lines(caplog):
    """Every line of the log, as the formatter gets it."""
    caplog.handler.addFilter(WithIds())
    caplog.set_level(logging.INFO)
    return caplog


@pytest.fixture
def receiver(aws, settings):
    settings.WEBHOOK_PRIVATE = True
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def messages(queue):
    """The bodies of a queue's messages; each is taken."""
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for one in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return [one["Body"] for one in found]


def trail(request_id):
    """What the API finds of a request in the trail, the oldest first."""
    found = Api(Role.ADMINISTRATOR).get(f"audit?request_id={request_id}&limit=100").json()["items"]
    return [one["event"] for one in reversed(found)]


def test_one_id_finds_what_followed_over_every_hop(api, receiver, lines):
    admin = Api(Role.ADMINISTRATOR)
    made = admin.post(
        "webhooks", {"url": receiver.url, "types": ["job.ended", "session.judged", "case.opened"]}
    )
    assert made.status_code == 201, made.content
    handler(event(records()), None)  # followers begin here
    asked = api.call(
        "POST",
        "qkd/batches",
        {"count": 1, "key_length": 64, "eavesdropper": ATTACKED},
        traceparent=TRACEPARENT,
    )
    assert asked.status_code == 202, asked.content
    request_id, job_id = asked["X-Request-Id"], asked.json()["job_id"]
    (body,) = messages(django_settings.JOBS_QUEUE)
    lines.clear()
    handler(sqs_event(django_settings.JOBS_QUEUE, body), CONTEXT)  # the queue
    (session,) = rows(SessionTable.Meta.table_name)
    session_id = session["session_id"]["S"]
    handler(stream_insert(session_id), None)  # the stream of sessions
    handler(event(records()), None)  # the stream of the trail
    assert api.get(f"jobs/{job_id}").json()["request_id"] == request_id
    assert {"job.queued", "job.begun", "session.generated", "job.ended", "case.opened"} <= set(
        trail(request_id)
    )
    told = [json.loads(content) for _, content in receiver.got]
    ours = {one["type"] for one in told if one["data"].get("request_id") == request_id}
    assert ours == {"job.ended", "session.judged", "case.opened"}
    assert all(one["data"]["trace_id"] == TRACE_ID for one in told)
    parents = {headers["traceparent"][:36] for headers, _ in receiver.got}
    assert parents == {f"00-{TRACE_ID}-"}, "the trace goes on, by spans of its own"
    logged = [one for one in lines.records if getattr(one, "request_id", None) == request_id]
    assert any(getattr(one, "session_id", None) == session_id for one in logged), "the verdict's line"
    assert {one.trace_id for one in logged} == {TRACE_ID}


def test_a_job_that_the_sweep_sends_again_goes_on_with_its_own_request(api):
    asked = api.post("qkd/batches", {"count": 1, "key_length": 64, "error_rate": 0.01})
    messages(django_settings.JOBS_QUEUE)  # lost
    tracing.begin(of_request("the-sweep"))
    jobs.send_lost(seconds=-1)
    tracing.forget()
    (body,) = messages(django_settings.JOBS_QUEUE)
    handler(sqs_event(django_settings.JOBS_QUEUE, body), CONTEXT)
    assert trail(asked["X-Request-Id"])[-1] == "job.ended"
    assert "session.generated" not in trail("the-sweep")


def test_an_upload_is_encrypted_in_the_trace_of_its_announcement(api, pool, stock):
    upload = registered(api)
    (row,) = rows(FileTable.Meta.table_name)
    request_id = row["trace"]["S"].rstrip("+")
    handler(upload.event, None)
    assert trail(request_id)[-1] == "file.encrypted"
    assert "trace" not in {name for one in rows(FileTable.Meta.table_name) for name in one}


def test_an_alert_names_the_request_that_led_to_it(aws, settings):
    audit.record(TESTS, CaseEvent.CLOSED)
    settings.ALERT_TOPIC_ARN = client("sns").create_topic(Name="alerts")["TopicArn"]
    handler(event(records()), None)
    with tracing.entered(of_request("asked-1")):
        audit.record(TESTS, CaseEvent.OPENED, session_id="s", case_id="c", link="l", severity="critical")
    handler(event(records()), None)
    assert trail("asked-1") == ["case.opened", "alert.raised", "alert.sent"]
    (alert,) = Api(Role.ADMINISTRATOR).get("alerts").json()["items"]
    assert alert["detail"]["request_id"] == "asked-1"


def test_the_message_of_a_job_carries_ids_and_nothing_else(api):
    asked = api.call(
        "POST",
        "qkd/batches",
        {"count": 1, "key_length": 64, "error_rate": 0.01},
        traceparent=TRACEPARENT,
    )
    (body,) = messages(django_settings.JOBS_QUEUE)
    headers = json.loads(base64.b64decode(body))["headers"]
    assert re.fullmatch(f"00-{TRACE_ID}-[0-9a-f]{{16}}-01 {asked['X-Request-Id']}", headers["qkd_trace"])


def test_what_a_caller_writes_leads_nowhere_else(api):
    """A job's record is authentic; a message's header is not, and names no other request than the record."""
    mine = api.post("qkd/batches", {"count": 1, "key_length": 64, "error_rate": 0.01})
    (body,) = messages(django_settings.JOBS_QUEUE)
    message = json.loads(base64.b64decode(body))
    message["headers"]["qkd_trace"] = f"{TRACEPARENT} somebody-else's"
    handler(
        sqs_event(django_settings.JOBS_QUEUE, base64.b64encode(json.dumps(message).encode()).decode()),
        CONTEXT,
    )
    assert {"job.begun", "session.generated", "job.ended"} <= set(trail(mine["X-Request-Id"]))
    row = JobTable.get(mine.json()["job_id"])
    row.update([JobTable.trace.set(f"{TRACEPARENT} other")])
    assert api.get(f"jobs/{mine.json()['job_id']}").status_code == 409, "the row was changed outside"


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "x",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"ff-{TRACE_ID}-{PARENT}-01",
        f"00-{TRACE_ID.upper()}-{PARENT}-01",
        f"00-{TRACE_ID}-{PARENT}-01-more",
        f"00-{TRACE_ID}-{PARENT}-01" + "-x" * 400,
        "00-" + "é" * 32,
    ],
)
def test_what_is_no_traceparent_begins_a_trace_of_its_own(sent):
    request_id = str(uuid.uuid4())
    found = of_request(request_id, traceparent=sent)
    assert found.trace_id == request_id.replace("-", "")
    assert not found.is_given


def test_a_trace_goes_on_from_w3c_and_from_the_gateway():
    later = of_request("r", traceparent=f"cc-{TRACE_ID}-{PARENT}-01-what-will-be")
    assert (later.trace_id, later.sampled) == (TRACE_ID, True)
    amazon = f"Root=1-{TRACE_ID[:8]}-{TRACE_ID[8:]};Parent={PARENT};Sampled=1"
    found = of_request("r", amazon=amazon)
    assert (found.trace_id, found.sampled) == (TRACE_ID, True)
    assert found.span_id != PARENT
    assert found.amazon == amazon.replace(PARENT, found.span_id)
    assert of_request(
        "r", traceparent=TRACEPARENT, amazon="Root=1-5759e988-bd862e3fe1be46a994272793"
    ).trace_id


@pytest.mark.parametrize(
    "text",
    [None, 3, b"x", "", " ", "+", "a++", "é", "a b", f"{TRACEPARENT} ", f"{TRACEPARENT} a b", "x" * 999],
)
def test_nothing_is_made_of_what_carries_no_trace(text):
    assert of_text(text) is None


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("trace_id", [None, TRACE_ID])
def test_what_is_carried_is_gone_on_with(trace_id, sampled):
    begun = of_request("5759e988-bd86-4e3f-be46-a994272793aa", traceparent="")
    trace = Trace(begun.request_id, trace_id or begun.trace_id, sampled)
    with tracing.entered(trace):
        found = of_text(tracing.carried())
    assert found is not None
    assert (found.request_id, found.trace_id, found.sampled) == (begun.request_id, trace.trace_id, sampled)
    assert found.span_id != trace.span_id


@pytest.mark.parametrize("detail", [{}, {"request_id": 3}, {"request_id": "a b"}, {"request_id": ""}])
def test_an_entry_that_tells_of_no_request_leads_to_none(detail):
    assert tracing.of_detail(detail) is None


def _lanes() -> Lanes[dict[str, str]]:
    return Lanes(Pace(1000))


def test_threads_go_on_with_the_trace_and_leave_none_behind():
    with tracing.entered(Trace("r", TRACE_ID)), _lanes() as lanes:
        came = [*lanes.begin(tracing.as_detail), *lanes.rest()]
    assert came == [{"request_id": "r", "trace_id": TRACE_ID}]
    assert tracing.as_detail() == {}


def test_an_event_within_a_job_leaves_the_jobs_trace_as_it_was(aws):
    """A dead letter is tried again through the entry, by a job of whoever asked."""
    trace = Trace("r", TRACE_ID)
    with tracing.entered(trace, job_id="j"):
        audit.record(TESTS, CaseEvent.CLOSED)
        handler(event(records()), CONTEXT)
        assert (tracing.current(), tracing.ids()["job_id"]) == (trace, "j")


def test_a_function_that_is_used_again_starts_without_the_trace_before(aws):
    audit.record(TESTS, CaseEvent.CLOSED)
    handler(event(records()), CONTEXT)
    assert tracing.current() is None
    assert '"request_id"' not in json.dumps(everything(but=set()), default=str)
