"""Dead letters, schedules, failed jobs and costs at the console."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from apps.access import quotas
from apps.audit import services as audit
from apps.common import scheduling, turns
from apps.common.aws import client as aws_client
from apps.common.scheduling import Schedule
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.operations import costs, letters, tasks
from benchmarks import cost
from qkdplatform import lambda_handler
from tests import requirement
from tests.console.demo import ALICE, make_job
from tests.console.pages import JOBS, LETTERS, SCHEDULES, act, ids, send

pytestmark = requirement("F1", "F2")
EVENT = {
    "source": "aws.events",
    "resources": ["arn:aws:events:us-east-1:1:rule/x-secret-name"],
    "key": "hunter2",
}


def dead(body: str) -> str:
    """Put a message into the dead-letter queue; its id."""
    sqs = aws_client("sqs")
    url = sqs.get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    return str(sqs.send_message(QueueUrl=url, MessageBody=body)["MessageId"])


def dead_event(event: dict[str, Any] = EVENT) -> str:
    """Put an event there, as Lambda does."""
    document = {
        "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": event,
        "responsePayload": {"errorType": "ValueError", "errorMessage": "the secret is 42"},
    }
    return dead(json.dumps(document))


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("qkdplatform-prod-worker-qkdplatform.schedules.refill", "the schedule refill"),
        ("x-qkdplatform.schedules.hunter2", "a schedule"),
        ("", "a schedule"),
    ],
)
def test_a_dead_letter_of_a_schedule_says_which(console: Client, rule: str, told: str) -> None:
    dead_event({"source": "aws.events", "resources": [f"arn:aws:events:us-east-1:1:rule/{rule}"]})
    (shown,) = console.get(LETTERS).context["cl"].result_list
    assert shown.facts["what"] == told


def newest(event: str) -> list[Any]:
    """The newest entries of an event."""
    return [entry for entry in audit.entries_page(limit=50).records if entry.event == event]


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What reaches the platform's entry; an event that says so fails."""
    came: list[Any] = []

    def handler(event: Any, _: Any) -> None:
        came.append(event)
        if event.get("fails"):
            raise ValueError("the secret is 42")

    monkeypatch.setattr(lambda_handler, "handler", handler)
    return came


def test_dead_letters_are_shown_without_their_content(console: Client) -> None:
    event, poem = dead_event(), dead("a poem of secrets")
    page = console.get(LETTERS)
    assert set(ids(page)) == {event, poem}
    assert "2 in all" in page.content.decode()
    assert "newest first" not in page.content.decode()
    assert set(ids(console.get(LETTERS))) == {event, poem}, "a look hides none from the next one"
    shown = page.content.decode() + console.get(f"{LETTERS}{event}/change/").content.decode()
    assert "ValueError" in shown
    assert "a schedule" in shown
    assert "RetriesExhausted" in shown
    for secret in ("hunter2", "the secret is 42", "secret-name", "a poem"):
        assert secret not in shown
    assert console.get(f"{LETTERS}{'x' * 36}/change/").status_code == 302
    assert f"{LETTERS}" in console.get("/admin/").content.decode(), "the overview leads there"


def test_a_letter_is_tried_again_by_a_job_and_the_others_stay(console: Client, entry: list[Any]) -> None:
    wanted, other = dead_event(), dead_event({"source": "other"})
    assert act(console, LETTERS, "redrive", [wanted]).status_code == 302
    job = jobs.listed(actor=ALICE, limit=1).records[0]
    tasks.redrive(job.job_id)
    assert entry == [EVENT]
    assert ids(console.get(LETTERS)) == [other]
    found = jobs.find(job.job_id, actor=ALICE)
    assert (found.state, found.results) == (JobState.SUCCEEDED, {"succeeded": 1})
    assert [one.detail["message_id"] for one in newest("letter.redriven")] == [wanted]


def test_what_fails_again_stays_in_sight_and_its_job_says_so(console: Client, entry: list[Any]) -> None:
    broken, fine = dead_event({"fails": True}), dead_event()
    send(console, f"{LETTERS}redrive/")
    job = jobs.listed(actor=ALICE, limit=1).records[0]
    tasks.redrive(job.job_id)
    assert len(entry) == 2
    assert ids(console.get(LETTERS)) == [broken], fine
    found = jobs.find(job.job_id, actor=ALICE)
    assert found.state is JobState.FAILED
    assert found.error == "1 of 2 failed again and stay. The log says where."
    assert found.results == {"succeeded": 1, "failed_again": {broken: "ValueError"}}
    assert {one.outcome for one in newest("letter.redriven")} == {"ok", "failed"}


def test_a_job_that_is_retried_tries_what_failed_once_more(console: Client, entry: list[Any]) -> None:
    broken, _fine = dead_event({"fails": True}), dead_event()
    job = letters.redrive_later(actor=ALICE)
    tasks.redrive(job.job_id)
    jobs.retry(job.job_id, actor=ALICE)
    tasks.redrive(job.job_id)
    assert entry.count({"fails": True}) == 2
    assert len(entry) == 3
    assert jobs.find(job.job_id, actor=ALICE).results == {
        "succeeded": 1,
        "failed_again": {broken: "ValueError"},
    }


def test_a_letter_that_is_gone_fails_its_job(console: Client, entry: list[Any]) -> None:
    gone, other = dead_event(), dead("a poem")
    act(console, LETTERS, "redrive", [gone])
    letters.drop(gone, reason="not needed", actor=ALICE)
    job = jobs.listed(actor=ALICE, limit=1).records[0]
    tasks.redrive(job.job_id)
    assert entry == []
    assert "None of these dead letters" in str(jobs.find(job.job_id, actor=ALICE).error)
    assert ids(console.get(LETTERS)) == [other]


def test_a_letter_is_dropped_with_its_entry(console: Client) -> None:
    poem, other = dead("a poem"), dead_event()
    digest = letters.find(poem).digest
    act(console, LETTERS, "drop", [poem], reason="not ours")
    assert ids(console.get(LETTERS)) == [other]
    entry = newest("letter.dropped")[0]
    told = {"message_id": poem, "kind": "unknown", "digest": digest, "reason": "not ours"}
    assert told.items() <= entry.detail.items()
    again = console.post(f"{LETTERS}do/drop/", {"id": [poem], "once": "x", "reason": "again"})
    assert b"None of the selected records exists" in again.content


def test_a_letter_whose_entry_cannot_be_written_stays(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    poem = dead("a poem")

    def fails(*_: Any, **__: Any) -> None:
        raise ConnectionError("no trail")

    monkeypatch.setattr(letters, "record", fails)
    with pytest.raises(ConnectionError):
        letters.drop(poem, reason="x", actor=ALICE)
    assert [one.message_id for one in letters.look()] == [poem]


def test_a_look_receives_each_letter_once(aws: None, calls: list[str]) -> None:
    sent = {dead(f"poem {number}") for number in range(12)}
    calls.clear()
    assert {letter.message_id for letter in letters.look()} == sent
    assert calls.count("ReceiveMessage") == 3, "ten, two, and none"
    assert calls.count("ChangeMessageVisibility") == len(sent)


def test_what_is_no_letter_of_ours_is_unknown() -> None:
    for body in (
        "null",
        "[]",
        '{"Records": []}',
        '{"Records": 5}',
        '{"requestPayload": []}',
        "\ud7ff",
        "[" * 99_999,
    ):
        assert letters.read(body).kind == "unknown", body[:20]


ODD: list[dict[str, Any]] = [
    {"Records": [{"eventSource": "aws:s3"}]},
    {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "k" * 5000}}}]},
    {"Records": [{"eventSource": "aws:s3", "s3": {"object": []}}]},
    {"requestPayload": {"Records": "x"}, "requestContext": [], "responsePayload": "boom"},
    {"requestPayload": {}, "responsePayload": {"errorType": {"deep": 1}}},
]


def test_letters_of_odd_form_are_looked_at(console: Client) -> None:
    sent = {dead(json.dumps(document)) for document in ODD}
    assert set(ids(console.get(LETTERS))) == sent


def test_only_who_may_manage_them_touches_letters(person: Callable[..., Client]) -> None:
    poem = dead_event()
    client = person("operations.view_letter")
    assert ids(client.get(LETTERS)) == [poem]
    assert b"Try all again" not in client.get(LETTERS).content
    for action in ("redrive", "drop"):
        assert client.get(f"{LETTERS}do/{action}/", {"id": poem}).status_code == 403
    assert client.post(f"{LETTERS}redrive/", {"once": "x"}).status_code == 403


def test_schedules_say_when_they_ran_and_run_now(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = turns.take(Schedule.SWEEP, "sessions judged")
    assert taken is not None
    turns.end(taken, tried=(), is_whole=True, failed=True)
    page = console.get(SCHEDULES)
    assert ids(page) == [one.value for one in Schedule]
    html = page.content.decode()
    assert "1 failed" in html
    assert "has not run" in html
    assert "sessions judged" in console.get(f"{SCHEDULES}sweep/change/").content.decode()
    parts = have_parts(monkeypatch, "a", "b")
    act(console, SCHEDULES, "run", ["rotate"])
    job = jobs.listed(actor=ALICE, limit=1).records[0]
    tasks.run_schedule(job.job_id)
    assert parts == ["a", "b"]
    assert jobs.find(job.job_id, actor=ALICE).state is JobState.SUCCEEDED
    assert newest("schedule.run")[0].detail["schedule"] == "rotate"
    assert console.get(f"{SCHEDULES}nosuch/change/").status_code == 302


def have_parts(monkeypatch: pytest.MonkeyPatch, *names: str, failing: str = "") -> list[str]:
    """Give schedules parts that only note that they ran; returns where."""
    ran: list[str] = []

    def part(name: str) -> scheduling.Part:
        def run() -> int:
            ran.append(name)
            if name == failing:
                raise ValueError("the secret is 42")
            return 0

        return scheduling.Part(Schedule.ROTATE, names.index(name), name, run)

    monkeypatch.setattr(scheduling, "parts_of", lambda _: [part(name) for name in names])
    return ran


def test_a_schedule_that_a_workers_time_ends_in_goes_on_with_the_rest(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said that all was done when its worker's time had ended after the first part."""
    ran = have_parts(monkeypatch, "a", "b", "c", failing="b")
    left = [600.0, 0.0]
    monkeypatch.setattr(scheduling, "seconds_left", lambda: left.pop(0) if left else 600.0)
    sent: list[Any] = []
    monkeypatch.setattr(tasks.run_schedule, "apply_async", lambda arguments, **_: sent.append(arguments))
    act(console, SCHEDULES, "run", ["rotate"])
    job = jobs.listed(actor=ALICE, limit=1).records[0]
    tasks.run_schedule(job.job_id)
    waiting = jobs.find(job.job_id, actor=ALICE)
    assert (ran, waiting.state, int(waiting.done)) == (["a"], JobState.QUEUED, 1)
    assert sent == [(job.job_id,)] * 2, "when it was asked for, and to go on"
    tasks.run_schedule(job.job_id)
    ended = jobs.find(job.job_id, actor=ALICE)
    assert (ran, ended.state, int(ended.done)) == (["a", "b", "c"], JobState.FAILED, 3)
    assert ended.error == "Parts failed: b. The log says why; the schedule's next run tries again."
    ran = have_parts(monkeypatch, "a", "b", "c")
    jobs.retry(job.job_id, actor=ALICE)
    tasks.run_schedule(job.job_id)
    again = jobs.find(job.job_id, actor=ALICE)
    assert (ran, again.state, int(again.done)) == (["b"], JobState.SUCCEEDED, 3), "what failed"
    assert again.results == {"ran": ["a", "c", "b"]}


def test_the_intervals_are_those_of_the_deployment() -> None:
    events = json.loads(Path("zappa_settings.json").read_text())["worker"]["events"]
    units = {"minute": 60, "minutes": 60, "day": 86_400, "days": 86_400, "hour": 3600, "hours": 3600}
    told = {}
    for event in events:
        number, unit = event["expression"].removeprefix("rate(").removesuffix(")").split()
        told[event["function"].rpartition(".")[2]] = int(number) * units[unit]
    assert told == {one.value: one.interval.total_seconds() for one in Schedule}


def test_a_failed_job_is_retried_from_where_it_was(console: Client) -> None:
    failed = make_job(3, 20, ended=True, error="The network was away.")
    fine = make_job(4, 4, ended=True)
    assert b"Retry" in console.get(f"{JOBS}{failed.job_id}/change/").content
    assert b"Retry" not in console.get(f"{JOBS}{fine.job_id}/change/").content
    act(console, JOBS, "retry", [failed.job_id])
    found = jobs.find(failed.job_id, actor=ALICE)
    assert (found.state, int(found.done), found.error) == (JobState.QUEUED, 3, None)
    again = act(console, JOBS, "retry", [failed.job_id])
    assert b"only one that failed can be retried" in again.content
    refused = act(console, JOBS, "retry", [fine.job_id])
    assert b"is succeeded; only one that failed" in refused.content


def test_a_retried_job_is_refused_where_its_owners_quota_is_used_up(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = make_job(3, 20, ended=True, error="The network was away.")
    asked: list[Any] = []

    def used_up(owner: str, spends: Any) -> None:
        asked.append((owner, spends))
        raise quotas.QuotaUsedUp("5 of 5 jobs are used")

    monkeypatch.setattr(quotas, "check_owner", used_up)
    refused = act(console, JOBS, "retry", [failed.job_id])
    assert b"5 of 5 jobs are used" in refused.content
    assert asked == [(failed.owner, {quotas.Quota.JOBS})]
    assert jobs.find(failed.job_id, actor=ALICE).state is JobState.FAILED


def test_costs_are_those_of_the_documentation(console: Client) -> None:
    page = Path("docs/operation-costs.md").read_text()
    assert {
        one.name: [one.write_units, one.read_units, one.calls] for one in costs.OPERATIONS
    } == cost.figures(page)
    dollars = {cells[0]: float(cells[8]) for cells in _rows(page)}
    assert {one.name: one.dollars for one in costs.OPERATIONS} == pytest.approx(dollars, abs=0.05)
    html = console.get("/admin/page/costs/").content.decode()
    assert f"{costs.UPLOAD.dollars:.2f}" in html


def _rows(page: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()]
    return [cells for cells in rows if len(cells) == 10 and cells[1].replace(".", "").isdigit()]


def test_the_command_tries_every_letter(console: Client, entry: list[Any]) -> None:
    dead_event()
    call_command("redrive")
    assert entry == [EVENT]
    assert letters.look() == []
