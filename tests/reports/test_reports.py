"""A compliance report says what the trail says of a period, is made by a job, kept, and its digests stand in the trail (D4)."""

import csv
import gzip
import hashlib
import io
import json
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from django.conf import settings as django_settings

from apps.access.roles import Role
from apps.audit import archive, archiving, checkpointing, verification, writing
from apps.audit import services as audit
from apps.audit.archived import ArchiveUnsound
from apps.audit.records import Actor, ActorKind, Outcome
from apps.audit.store import EntryTable
from apps.common import clock, spreadsheets
from apps.common.aws import client
from apps.common.dynamodb import Span
from apps.common.errors import Unavailable
from apps.exports import bucket
from apps.files.trail import FileEvent
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.jobs.running import Work
from apps.keys import services as keys
from apps.reports import services, tasks
from apps.reports.records import ReportNotFound, ReportUnsound
from apps.reports.summing import MOST_NAMED, OTHERS, Sums, _add
from tests import requirement
from tests.conftest import TESTS, Api
from tests.queues import into

pytestmark = requirement("D4")
EVIL = "=HYPERLINK(1)<script>"


@pytest.fixture
def sent(monkeypatch):
    """The jobs that were sent, instead of a queue."""
    ids: list[str] = []
    monkeypatch.setattr(tasks.compliance, "apply_async", into(ids))
    return ids


@pytest.fixture
def period(aws, later):
    """Two days that are over, with entries on both; returns when they begin and end."""
    since = (clock.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    later(seconds=(since - clock.now()).total_seconds() + 60)
    keys.create(2, actor=TESTS)
    caller = Actor(ActorKind.SERVICE, EVIL)
    for number in range(5):
        audit.record(caller, FileEvent.READ, file_id=f"f{number}")
    later(days=1)
    audit.record(caller, FileEvent.READ, outcome=Outcome.DENIED, file_id="other")
    later(days=1)
    audit.record(TESTS, FileEvent.READ, file_id="after the period")
    return since, since + timedelta(days=2)


def made(period, sent):
    since, until = period
    job = services.ask(since=since, until=until, actor=TESTS)
    tasks.compliance(sent.pop())
    assert jobs.find(job.job_id, actor=TESTS).state is JobState.SUCCEEDED
    (report,) = services.listed(limit=5).records
    return report


def content(report, name):
    key = report.files[name]["key"]
    return client("s3").get_object(Bucket=django_settings.EXPORTS_BUCKET, Key=key)["Body"].read()


def test_a_report_holds_every_entry_of_its_period_and_no_other(period, sent):
    report = made(period, sent)
    names = sorted(name for name in report.files if name.endswith(".csv.gz"))
    rows = [
        row
        for name in names
        for row in csv.DictReader(io.StringIO(gzip.decompress(content(report, name)).decode()))
    ]
    span = Span(*period)
    there = {f"{one.chain}-{one.sequence}" for one in audit.entries_page(limit=100, span=span).records}
    assert {f"{row['chain']}-{row['sequence']}" for row in rows} == there
    assert len(rows) == report.entries == len(there) > 6
    assert "after the period" not in {row["file_id"] for row in rows}
    lines = [
        json.loads(line)
        for name in report.files
        if name.endswith(".jsonl.gz")
        for line in gzip.decompress(content(report, name)).decode().splitlines()
    ]
    assert {line["event"]["id"] for line in lines} == {f"{row['chain']}-{row['sequence']}" for row in rows}


def test_its_sums_are_right_and_its_digests_stand_in_the_trail(period, sent):
    report = made(period, sent)
    sums = json.loads(content(report, "summary.json"))
    assert sums["sums"]["events"]["file.read"] == 6
    assert sums["sums"]["refusals"] == {f"service:{EVIL}: file.read denied": 1}
    assert sums["state"]["pool_keys"]["active"] == 2
    for name, told in report.files.items():
        assert hashlib.sha256(content(report, name)).hexdigest() == told["sha256"]
        assert len(content(report, name)) == told["size"]
    entries = audit.entries_page(limit=50).records
    (entry,) = [one for one in entries if one.event == "report.made"]
    assert entry.detail["digests"]["report.html"] == report.files["report.html"]["sha256"]
    assert verification.verify().problems == []


@requirement("I8")
def test_nothing_that_somebody_wrote_is_run_by_a_browser_or_a_spreadsheet(period, sent):
    report = made(period, sent)
    page = content(report, "report.html").decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page, "the page loads nothing"
    assert spreadsheets.cell(EVIL).startswith("'=")
    assert spreadsheets.cell(-3) == -3


def test_a_job_that_is_interrupted_goes_on_with_the_next_day(period, sent, monkeypatch):
    since, until = period
    job = services.ask(since=since, until=until, actor=TESTS)
    monkeypatch.setattr(Work, "must_hand_over", property(lambda _: True))
    for _ in range(5):
        if sent:
            tasks.compliance(sent.pop())
    found = jobs.find(job.job_id, actor=TESTS)
    assert (found.state, found.done) == (JobState.SUCCEEDED, 2)
    (report,) = services.listed(limit=5).records
    assert json.loads(content(report, "summary.json"))["sums"]["events"]["file.read"] == 6


def test_a_day_whose_worker_died_before_it_was_noted_is_counted_once(period, sent, monkeypatch):
    since, until = period
    job = services.ask(since=since, until=until, actor=TESTS)
    report, reports = Work.report, []

    def report_but_once(self, **told):
        reports.append(told)
        if len(reports) == 2:
            raise Unavailable("The day is written, and not noted.")
        report(self, **told)

    monkeypatch.setattr(Work, "report", report_but_once)
    tasks.compliance(sent.pop())
    assert jobs.find(job.job_id, actor=TESTS).done == 1
    tasks.compliance(sent.pop())
    (made,) = services.listed(limit=5).records
    sums = json.loads(content(made, "summary.json"))["sums"]
    assert (sums["events"]["file.read"], sums["entries"]) == (6, made.entries)
    assert sums["days"][f"{since + timedelta(days=1):%Y-%m-%d}"] == 1


def test_a_large_day_is_several_files(period, sent, monkeypatch):
    monkeypatch.setattr(services, "ENTRIES_A_FILE", 2)
    report = made(period, sent)
    assert len([name for name in report.files if name.endswith(".csv.gz")]) >= 4
    assert json.loads(content(report, "summary.json"))["sums"]["events"]["file.read"] == 6


def test_a_report_of_many_files_fits_an_item_and_still_hands_out_each(period, sent, monkeypatch):
    monkeypatch.setattr(services, "ENTRIES_A_FILE", 1)
    monkeypatch.setattr(services, "HELD", 5)
    report = made(period, sent)
    assert sorted(report.files) == ["files.json", "report.html", "summary.json"]
    listed = json.loads(content(report, "files.json"))["files"]
    assert len(listed) > 12
    name = next(one for one in sorted(listed) if one.endswith(".csv.gz"))
    assert "Signature" in services.address_of(report.report_id, name, actor=TESTS)
    (entry,) = [one for one in audit.entries_page(limit=50).records if one.event == "report.made"]
    assert entry.detail["digests"]["files.json"] == report.files["files.json"]["sha256"]
    with pytest.raises(ReportNotFound):
        services.address_of(report.report_id, "none", actor=TESTS)


def test_a_year_of_a_hundred_files_a_day_is_far_from_what_an_item_holds(aws):
    name = "entries-2026-01-01-000.jsonl.gz"
    told = {"key": f"reports/2026-01-01-to-2026-12-31-01234567/{name}", "sha256": "0" * 64, "size": 10**8}
    held = json.dumps({f"{number}{name}": told for number in range(services.HELD)})
    assert len(held) < 100_000


@requirement("I10")
def test_who_writes_the_bucket_alone_changes_no_report(period, sent, monkeypatch):
    since, until = period
    job = services.ask(since=since, until=until, actor=TESTS)
    monkeypatch.setattr(Work, "must_hand_over", property(lambda _: True))
    tasks.compliance(sent.pop())
    key = f"reports/{services._id_of(job.job_id, since, until)}/sums-1.json"
    kept = json.loads(bucket.read(key))
    for forged in (
        json.dumps(kept | {"told": kept["told"].replace('"entries": ', '"entries": 9')}),
        "[]",
        "no JSON",
    ):
        bucket.put(key, forged.encode(), media_type="application/json")
        with pytest.raises(ReportUnsound):
            services._progress_after(services._id_of(job.job_id, since, until), 1)
    tasks.compliance(sent.pop())
    assert jobs.find(job.job_id, actor=TESTS).state is JobState.FAILED


@requirement("I10")
def test_an_index_that_somebody_changed_hands_out_nothing(period, sent, monkeypatch):
    monkeypatch.setattr(services, "HELD", 1)
    report = made(period, sent)
    files = json.loads(content(report, "files.json"))
    files["files"]["mine"] = {"key": "siem/000/000000000001.jsonl", "sha256": "", "size": 1}
    bucket.put(report.files["files.json"]["key"], json.dumps(files).encode(), media_type="application/json")
    with pytest.raises(ReportUnsound):
        services.address_of(report.report_id, "mine", actor=TESTS)


def test_the_api_asks_lists_and_hands_out_files_with_an_entry(period, sent):
    auditor = Api(Role.AUDITOR)
    since, until = map(clock.as_text, period)
    answer = auditor.post("reports", {"since": since, "until": until})
    assert answer.status_code == 202, answer.content
    tasks.compliance(sent.pop())
    (report,) = auditor.get("reports").json()["items"]
    assert auditor.get(f"reports/{report['report_id']}").json() == report
    given = auditor.post(f"reports/{report['report_id']}/files/report.html")
    assert given.status_code == 201
    assert "Signature" in given.json()["url"]
    assert "report.read" in [entry.event for entry in audit.entries_page(limit=5).records]
    assert auditor.post(f"reports/{report['report_id']}/files/none").status_code == 404
    assert auditor.get("reports/none").status_code == 404
    assert Api(Role.OPERATOR).get("reports").status_code == 403


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "until"),
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "until"),
        ("2024-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "until"),
        ("2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "until"),
        ("2026-01-01T01:00:00Z", "2026-01-02T00:00:00Z", "since"),
        ("yesterday", "2026-01-02T00:00:00Z", "since"),
        ("9999-12-30T00:00:00Z", "9999-12-31T00:00:00Z", "until"),
        ("0001-01-01T00:00:00+14:00", "2026-01-02T00:00:00Z", "since"),
    ],
)
def test_a_period_is_whole_days_that_are_over(admin_api, since, until, field):
    answer = admin_api.post("reports", {"since": since, "until": until})
    assert answer.status_code == 400
    assert field in {error["field"] for error in answer.json()["errors"]}


def test_the_month_s_report_is_asked_for_once(aws, sent):
    services.ask_monthly(actor=TESTS)
    services.ask_monthly(actor=TESTS)
    assert len(sent) == 1


def test_sums_name_only_so_many_and_are_kept_as_they_are():
    sums = Sums()
    named: Counter[str] = Counter()
    for number in range(MOST_NAMED + 5):
        _add(named, f"a{number}")
    assert len(named) == MOST_NAMED + 1
    assert named[OTHERS] == 5
    assert Sums.of(json.loads(json.dumps(sums.as_document()))) == sums


@requirement("D5")
@pytest.mark.parametrize("slices", [None, 3], ids=["all is archived", "archiving was stopped in a block"])
def test_a_report_holds_what_was_archived(aws, sent, settings, monkeypatch, later, slices):
    since, until = _old_entries(settings, monkeypatch, later)
    days = [since + timedelta(days=day) for day in range((until - since).days)]
    before = [_names(day) for day in days]
    moved = []

    def tick(count):
        moved.append(count)
        if len(moved) == slices:
            raise InterruptedError

    with suppress(InterruptedError):
        for one in archiving.due():
            archiving.move(one, actor=TESTS, tick=tick)
    assert moved
    assert sum(map(len, before)) > 25
    assert [_names(day) for day in days] == before
    report = made((since, until), sent)
    assert report.entries == sum(map(len, before))


def test_an_entry_that_somebody_put_back_or_made_up_hides_no_archived_one(
    aws, sent, settings, monkeypatch, later
):
    since, _ = _old_entries(settings, monkeypatch, later)
    before = _names(since)
    first = next(EntryTable.query("007", limit=1))
    for one in archiving.due():
        archiving.move(one, actor=TESTS)
    first.save()
    made_up = EntryTable.from_raw_data(first.to_dynamodb_dict())
    made_up.chain, made_up.sequence = "008", 5
    made_up.save()
    assert _names(since) == before


def test_no_report_is_made_of_an_archive_that_lacks_a_block(aws, settings, monkeypatch, later):
    since, _ = _old_entries(settings, monkeypatch, later)
    for one in archiving.due():
        archiving.move(one, actor=TESTS)
    monkeypatch.setattr(archive, "slot_of", lambda _: None)
    with pytest.raises(ArchiveUnsound):
        _names(since)


def _names(day):
    found = [(entry.chain, int(entry.sequence)) for entry in services._entries_of(day)]
    assert len(found) == len(set(found)), "each once"
    return sorted(found)


def _old_entries(settings, monkeypatch, later):
    """Three days of entries, 40 days ago, in blocks of 10 that may be archived."""
    settings.AUDIT_ARCHIVE_DAYS = 30
    monkeypatch.setattr(archive, "BLOCK", 10)
    monkeypatch.setattr(archiving, "BLOCK", 10)
    monkeypatch.setattr(archiving, "SLICE", 4)
    writing.known_chains().names = ["007"]
    since = (clock.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    later(seconds=(since - clock.now()).total_seconds() + 60)
    for _ in range(3):
        for number in range(9):
            audit.record(TESTS, FileEvent.READ, file_id=f"f{number}")
        later(days=1)
    checkpointing.make(actor=TESTS)
    later(days=40)
    return since, since + timedelta(days=3)
