"""The trail verified as a job: on schedule and by the API, with progress, and cancelled within a page."""

import pytest

from apps.access.roles import Role
from apps.audit import reading, tasks
from apps.audit.records import SWEEPER, system
from apps.audit.services import entries_page, record
from apps.audit.store import EntryTable, HeadTable
from apps.audit.verification import Depth
from apps.common.aws import client
from apps.files.trail import FileEvent
from apps.jobs import control
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from tests import requirement
from tests.conftest import TESTS, Api
from tests.console.pages import send
from tests.queues import into

ACTOR = system("tests")


@pytest.fixture
def sent(monkeypatch):
    ids: list[str] = []
    monkeypatch.setattr(tasks.verify, "apply_async", into(ids))
    return ids


def write(count: int) -> None:
    for _ in range(count):
        record(ACTOR, FileEvent.READ)


def job_of(job_id):
    return jobs.find(job_id, actor=TESTS)


@requirement("D5", "A9")
def test_a_job_verifies_the_trail_and_says_what_it_found(aws, sent):
    write(3)
    made = tasks.verify_later(depth=Depth.RECORDS, actor=ACTOR)
    tasks.verify(made.job_id)
    job = job_of(made.job_id)
    assert (job.state, job.total, job.done) == (JobState.SUCCEEDED, 5, 5), "the job's own entries, too"
    assert job.results["whole"]
    assert job.results["records"] == 1
    assert "There is no checkpoint yet" in job.results["tail"]


@requirement("D5", "B6")
def test_damage_is_named_in_the_results_in_the_trail_and_on_the_alert_topic(aws_topic, sent):
    write(3)
    chain = str(next(iter(HeadTable.scan())).chain)
    EntryTable.get(chain, 2).update([EntryTable.source_ip.set("192.0.2.7")])
    made = tasks.verify_later(depth=Depth.ENTRIES, actor=ACTOR)
    tasks.verify(made.job_id)
    assert job_of(made.job_id).results["named"] == [f"chain {chain}, entry 2: its content was changed"]
    [entry] = entries_page(limit=5, by="actor", value="system:verifier").records
    assert (entry.event, entry.outcome, entry.detail["problems"]) == ("audit.verified", "failed", 1)
    [alert] = aws_topic()
    assert "its content was changed" in alert


@pytest.fixture
def aws_topic(aws, settings):
    """The messages of an alert topic."""
    sns, sqs = client("sns"), client("sqs")
    settings.ALERT_TOPIC_ARN = sns.create_topic(Name="alerts")["TopicArn"]
    url = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=settings.ALERT_TOPIC_ARN, Protocol="sqs", Endpoint=arn)
    return lambda: [message["Body"] for message in sqs.receive_message(QueueUrl=url).get("Messages", [])]


@requirement("D5", "A9")
def test_a_verification_is_cancelled_within_a_page(aws, sent, monkeypatch):
    write(20)
    made = tasks.verify_later(depth=Depth.ENTRIES, actor=ACTOR)
    pages = reading.pages
    read: list[int] = []

    def one_by_one(chain, *, after=0):
        for page in pages(chain, after=after):
            for item in page:
                read.append(1)
                if len(read) == 5:
                    control.cancel(made.job_id, actor=ACTOR)
                yield [item]

    monkeypatch.setattr(reading, "pages", one_by_one)
    monkeypatch.setattr(tasks, "REPORT_SECONDS", 0)
    tasks.verify(made.job_id)
    job = job_of(made.job_id)
    assert (job.state, len(read)) == (JobState.CANCELLED, 5)
    assert job.done == 5


@requirement("D5")
@pytest.mark.usefixtures("within_half_an_hour")
def test_the_schedule_has_everything_verified_once_a_day(aws, sent, later):
    write(1)
    assert tasks.verify_daily(actor=SWEEPER) == 1
    assert tasks.verify_daily(actor=SWEEPER) == 1
    assert len(sent) == 1
    tasks.verify(sent[0])
    assert tasks.verify_daily(actor=SWEEPER) == 0
    later(days=1)
    assert tasks.verify_daily(actor=SWEEPER) == 1
    assert job_of(sent[1]).parameters == {"depth": "records"}


@requirement("D5", "E1")
def test_the_api_starts_a_verification_for_auditors_only(aws, sent):
    auditor, other = Api(Role.AUDITOR), Api(Role.CLIENT)
    answer = auditor.post("audit/verifications", {"depth": "since_checkpoint"})
    assert answer.status_code == 202
    assert answer.json()["parameters"] == {"depth": "since_checkpoint"}
    assert other.post("audit/verifications", {}).status_code == 403
    assert auditor.post("audit/verifications", {"depth": "deep"}).status_code == 400


@requirement("D4", "I10")
def test_a_forged_entry_in_a_list_is_marked(admin_api):
    write(2)
    entry = entries_page(limit=1, by="actor", value=str(ACTOR)).records[0]
    EntryTable.get(entry.chain, entry.sequence).update([EntryTable.source_ip.set("192.0.2.7")])
    shown = admin_api.get(f"audit?actor={ACTOR}").json()["items"]
    assert {item["sequence"] for item in shown if not item["authentic"]} == {entry.sequence}
    assert len(shown) > 1


@requirement("F2", "D5")
@pytest.mark.django_db
def test_the_console_has_the_records_verified_by_a_job(aws, sent, client_of_root):
    answer = send(client_of_root, "/admin/audit/entry/verify/", depth=Depth.RECORDS)
    assert answer.status_code == 302
    assert sent == [answer["Location"].split("/")[-3]]
    tasks.verify(sent[0])
    assert job_of(sent[0]).results["records"] > 0


@pytest.fixture
def client_of_root(aws):
    from django.test import Client

    from apps.access.users import User

    browser = Client()
    browser.force_login(User.objects.create_superuser("root", password="x"))
    return browser
