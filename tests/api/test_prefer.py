"""``Prefer: respond-async, wait=N``: the result where it is there in time, else what there is (E9, I11)."""

from collections.abc import Callable
from contextvars import Context
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.access import limits, views
from apps.access.throttles import Alone, Limit, Throttle
from apps.common import deadline, prefer
from apps.common.prefer import Preference
from apps.detections import services as detections
from apps.sessions import services as sessions
from apps.sessions import tasks
from tests import requirement
from tests.conftest import TESTS
from tests.queues import into
from tests.uploads import deliver, registered

pytestmark = requirement("E9")
WAIT = {"Prefer": "wait=20"}


@pytest.fixture
def moment():
    """The seconds that have passed."""
    return [0.0]


@pytest.fixture
def meanwhile(monkeypatch, moment):
    """Has something done instead of the first pause, and lets time pass by the pauses."""
    done: list[Callable[[], object]] = []

    def pause(seconds):
        moment[0] += seconds
        if done:
            Context().run(done.pop())  # as another process would

    monkeypatch.setattr(prefer, "sleep", pause)
    monkeypatch.setattr(prefer, "monotonic", lambda: moment[0])
    monkeypatch.setattr(views, "monotonic", lambda: moment[0])
    return done


@pytest.mark.parametrize(
    ("header", "read"),
    [
        ("", Preference()),
        ("wait=10", Preference(wait=10)),
        ("respond-async, wait=10", Preference(responds_async=True, wait=10)),
        ('WAIT="3"; of=course, Respond-Async', Preference(responds_async=True, wait=3)),
        ("wait=1, wait=9", Preference(wait=1)),
        ("wait=-1", Preference()),
        ("wait=٣", Preference()),
        ("wait=1e9, handling=lenient", Preference()),
    ],
)
def test_what_is_unknown_or_malformed_is_ignored(header, read):
    assert prefer.read(header) == read


@settings(max_examples=50)
@given(st.text())
def test_no_header_fails(header):
    assert isinstance(prefer.read(header), Preference)


def test_a_wait_ends_before_the_gateway_and_the_function_do(moment, meanwhile):
    looks = []

    def waited(seconds):
        before = moment[0]
        assert not prefer.await_result(None, lambda: looks.append(1), is_there=bool, seconds=seconds)
        return moment[0] - before

    assert waited(2) == pytest.approx(2)
    assert waited(10**8) == pytest.approx(prefer.LONGEST_SECONDS)
    assert len(looks) < 60
    with deadline.ending_in(29):
        assert waited(20) == pytest.approx(8), "WAIT_SECONDS: below the alarm of latency"
    with deadline.ending_in(10):
        assert waited(20) == pytest.approx(10 - prefer.RESERVE_SECONDS, abs=0.5)
    with deadline.ending_in(1):
        assert waited(20) == 0


@requirement("I11")
def test_no_more_wait_at_a_time_than_leave_threads_for_others(meanwhile):
    def another():
        deep.append(1)
        return prefer.await_result(None, another, is_there=bool, seconds=5) or "answered at once"

    deep: list[int] = []
    assert prefer.await_result(None, another, is_there=bool, seconds=5) == "answered at once"
    assert len(deep) == prefer.AT_ONCE


def test_a_session_is_answered_once_it_is_judged(api, meanwhile):
    asked = api.post("qkd/generate", {"key_length": 256}).json()["session_id"]
    meanwhile.append(lambda: detections.judge(asked, actor=TESTS))
    answer = api.call("GET", f"qkd/session/{asked}", **WAIT)
    assert (answer.json()["status"], answer["Preference-Applied"]) == ("ready", "wait=20")


def test_what_is_not_there_in_time_is_answered_as_it_is(api, meanwhile):
    answer = api.call("POST", "qkd/generate", {"key_length": 256}, **WAIT)
    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    assert answer["Preference-Applied"] == "wait=20"
    assert "Preference-Applied" not in api.post("qkd/generate", {"key_length": 256})


def test_a_session_may_be_made_by_a_job_and_waited_for(api, meanwhile, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(sent))
    body = {"key_length": 256}
    later = api.call("POST", "qkd/generate", body, Prefer="respond-async")
    assert (later.status_code, later["Preference-Applied"]) == (202, "respond-async")
    assert later.json()["job_id"] in sent

    def judge():
        detections.judge(api.get("qkd/sessions").json()["items"][0]["session_id"], actor=TESTS)

    meanwhile += [judge, lambda: tasks.generate_batch(sent[-1])]
    made = api.call(
        "POST", "qkd/generate", body, Prefer="respond-async, wait=9", **{"Idempotency-Key": "one"}
    )
    assert (made.status_code, made["Preference-Applied"]) == (201, "wait=9")
    assert made.json()["status"] == "ready", "and judged"
    again = api.call("POST", "qkd/generate", body, **{"Idempotency-Key": "one"})
    assert (again.status_code, again.json()["session_id"]) == (201, made.json()["session_id"])


def test_what_is_waited_for_in_turn_takes_one_wait(api, meanwhile, moment, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(sent))
    meanwhile.append(lambda: tasks.generate_batch(sent[-1]))
    answer = api.call("POST", "qkd/generate", {"key_length": 256}, Prefer="respond-async, wait=9")
    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    assert moment[0] == pytest.approx(9)


def test_a_wait_is_counted_from_when_the_request_came(api, meanwhile, moment, monkeypatch):
    """The gateway counts the work as well."""
    generate = sessions.generate

    def slow(*arguments, **named):
        moment[0] += 6
        return generate(*arguments, **named)

    monkeypatch.setattr(sessions, "generate", slow)
    answer = api.call("POST", "qkd/generate", {"key_length": 256}, Prefer="wait=9")
    assert (answer.status_code, answer["Preference-Applied"]) == (201, "wait=9")
    assert moment[0] == pytest.approx(9)


@requirement("I11")
def test_nobody_has_many_instances_wait_for_them(api, other_api, meanwhile, monkeypatch):
    """Each wait holds an instance: who begins many is answered at once, as without the preference."""
    monkeypatch.setattr(limits, "WAITS", Limit(burst=2, steady=1.0))
    still = Throttle(Alone(), clock=lambda: 60.0)
    monkeypatch.setattr(limits, "throttle", cache(lambda: still))
    path = f"qkd/session/{api.post('qkd/generate', {'key_length': 256}).json()['session_id']}"
    applied = ["Preference-Applied" in api.call("GET", path, **WAIT) for _ in range(4)]
    assert applied == [True, True, False, False]
    others = f"qkd/session/{other_api.post('qkd/generate', {'key_length': 256}).json()['session_id']}"
    assert "Preference-Applied" in other_api.call("GET", others, **WAIT)
    detections.judge(path.rpartition("/")[2], actor=TESTS)
    assert api.call("GET", path, **WAIT)["Preference-Applied"] == "wait=20", "what is there takes no wait"


def test_a_job_that_fails_is_answered_as_a_job(api, meanwhile, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(sent))
    meanwhile.append(lambda: api.post(f"jobs/{sent[-1]}/cancel"))
    answer = api.call("POST", "qkd/generate", {"key_length": 256}, Prefer="respond-async, wait=9")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")


def test_a_batch_is_200_once_it_has_ended(api, meanwhile, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(sent))
    meanwhile.append(lambda: tasks.generate_batch(sent[-1]))
    ended = api.call("POST", "qkd/batches", {"count": 2}, **WAIT)
    assert (ended.status_code, ended.json()["state"]) == (200, "succeeded")
    assert len(ended.json()["results"]["session_ids"]) == 2
    assert api.call("POST", "qkd/batches", {"count": 2}, **WAIT).status_code == 202
    meanwhile.append(lambda: tasks.generate_batch(sent[-1]))
    assert api.call("GET", f"jobs/{sent[-1]}", **WAIT).json()["state"] == "succeeded"


def test_an_upload_in_parts_is_answered_once_it_is_encrypted(stock, api, meanwhile):
    upload = registered(api, b"content")
    path = f"files/{upload.file_id}"
    assert api.call("GET", path, **WAIT).json()["status"] == "awaiting_upload"
    meanwhile.append(lambda: deliver(upload.event))
    assert api.call("GET", path, **WAIT).json()["status"] == "encrypted"


def test_a_large_download_is_answered_with_its_url(stock, api, meanwhile, monkeypatch, settings):
    from apps.files import tasks as files

    settings.DOWNLOAD_AT_ONCE_BYTES = 10
    upload = registered(api, b"x" * 100)
    deliver(upload.event)
    sent: list[str] = []
    monkeypatch.setattr(files.decrypt_download, "apply_async", into(sent))
    path = f"files/{upload.file_id}/download"
    assert api.call("POST", path, {}, Prefer="wait=1").status_code == 202
    meanwhile.append(lambda: files.decrypt_download(sent[-1]))
    answer = api.call("POST", path, {}, **WAIT)
    assert (answer.status_code, bool(answer.json()["url"])) == (200, True)
