"""Tables, buckets and queues, made as often as wanted; and the first run."""

import json

import pytest
from django.core.management import call_command

from apps.common import aws as clients
from apps.common.dynamodb import all_tables
from apps.stack import resources
from tests import requirement


def queue(name):
    sqs = clients.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


@pytest.fixture
def made(aws):
    resources.ensure()
    resources.ensure()


def test_every_table_is_there_with_what_its_model_asks_for(made):
    dynamodb = clients.client("dynamodb")
    for table in all_tables():
        described = dynamodb.describe_table(TableName=table.Meta.table_name)["Table"]
        assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        view = described.get("StreamSpecification", {}).get("StreamViewType")
        assert view == getattr(table.Meta, "stream_view_type", None)


def test_an_index_that_came_later_is_added(made):
    dynamodb = clients.client("dynamodb")
    table = next(table for table in all_tables() if table._get_schema()["global_secondary_indexes"])
    name = table.Meta.table_name
    (index, *_) = dynamodb.describe_table(TableName=name)["Table"]["GlobalSecondaryIndexes"]
    dynamodb.update_table(
        TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": index["IndexName"]}}]
    )
    resources.ensure_tables()
    names = {
        i["IndexName"] for i in dynamodb.describe_table(TableName=name)["Table"]["GlobalSecondaryIndexes"]
    }
    assert index["IndexName"] in names


def test_buckets_keep_versions_and_serve_the_consoles_pages_only(made, settings):
    s3 = clients.client("s3")
    for bucket in (settings.UPLOADS_BUCKET, settings.ENCRYPTED_BUCKET):
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_cors(Bucket=settings.UPLOADS_BUCKET)["CORSRules"]
    assert rule["AllowedOrigins"] == settings.CSRF_TRUSTED_ORIGINS


@requirement("G2")
def test_uploads_are_notified_once_and_what_fails_is_kept(made, settings):
    found = clients.client("s3").get_bucket_notification_configuration(Bucket=settings.UPLOADS_BUCKET)
    events = queue(settings.UPLOAD_EVENTS_QUEUE)
    assert [entry["QueueArn"] for entry in found["QueueConfigurations"]] == [events["QueueArn"]]
    dead_letters = queue(settings.DEAD_LETTER_QUEUE)["QueueArn"]
    for name in (settings.UPLOAD_EVENTS_QUEUE, settings.JOBS_QUEUE):
        assert json.loads(queue(name)["RedrivePolicy"])["deadLetterTargetArn"] == dead_letters


@requirement("F1", "D1")
@pytest.mark.django_db
def test_the_first_run_makes_one_user_and_one_key(aws, settings, tmp_path, client):
    from apps.access import api_keys

    settings.LOCAL_DIR = tmp_path
    call_command("first_run")
    path = tmp_path / "first-run.json"
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    made = json.loads(text)
    assert client.login(username=made["user"], password=made["password"])
    assert api_keys.authenticate(made["api_key"], source_ip="").principal.name == "first run"
    call_command("first_run")
    assert path.read_text() == text


@requirement("D1")
@pytest.mark.django_db
def test_a_first_run_that_was_not_finished_is_done_anew(aws, settings, tmp_path, client):
    from apps.access import api_keys
    from apps.common.errors import Unauthenticated

    settings.LOCAL_DIR = tmp_path
    call_command("first_run")
    lost = json.loads((tmp_path / "first-run.json").read_text())
    (tmp_path / "first-run.json").unlink()
    call_command("first_run")
    made = json.loads((tmp_path / "first-run.json").read_text())
    assert client.login(username=made["user"], password=made["password"])
    assert not client.login(username=lost["user"], password=lost["password"])
    with pytest.raises(Unauthenticated):
        api_keys.authenticate(lost["api_key"], source_ip="")
