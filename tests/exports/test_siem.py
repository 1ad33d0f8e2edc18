"""The trail for a SIEM: every entry in exactly one file, whatever is repeated, killed or done side by side (D6)."""

import json
import os
import random
import threading
from collections import Counter
from contextlib import suppress

import pytest
from django.conf import settings as django_settings

from apps.audit import services as audit
from apps.audit.records import Actor, ActorKind, Outcome
from apps.common.aws import client
from apps.common.errors import Unavailable
from apps.exports import bucket, ecs
from apps.files.trail import FileEvent
from apps.following import places
from apps.following import services as following
from apps.following.records import PlaceMoved
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS
from tests.trail_stream import event, records

pytestmark = requirement("D6")
CALLER = Actor(ActorKind.SERVICE, "caller", source_ip="192.0.2.7", via="key1")


@pytest.fixture(autouse=True)
def _exporting(settings, aws):
    settings.SIEM_EXPORT = True


def written(count):
    for number in range(count):
        audit.record(CALLER, FileEvent.READ, file_id=f"f{number}", start=number)


def exported():
    """Every line of every file."""
    s3 = client("s3")
    keys = [
        one["Key"] for one in s3.list_objects_v2(Bucket=django_settings.EXPORTS_BUCKET).get("Contents", [])
    ]
    bodies = [s3.get_object(Bucket=django_settings.EXPORTS_BUCKET, Key=key)["Body"].read() for key in keys]
    return [json.loads(line) for body in bodies for line in body.decode().splitlines()]


def there():
    return sorted(
        f"{one['dynamodb']['NewImage']['chain']['S']}-{one['dynamodb']['NewImage']['sequence']['N']}"
        for one in records()
    )


def test_each_entry_is_in_exactly_one_file(monkeypatch):
    some, move = random.Random(3), places.move

    def killed(moves, also=None):
        if moves[0].follower == "siem" and some.random() < 0.4:
            raise RuntimeError("killed before the place moved")
        move(moves, also)

    monkeypatch.setattr(places, "move", killed)
    for _ in range(6):
        written(3)
        try:
            handler(event(some.sample(records(), k=3)), None)
        except ExceptionGroup:
            continue
    monkeypatch.setattr(places, "move", move)
    following.catch_up()
    assert sorted(one["event"]["id"] for one in exported()) == there()


def test_processes_side_by_side_write_each_entry_once():
    written(12)

    def work():
        with suppress(ExceptionGroup, PlaceMoved):  # it comes again
            handler(event(records()), None)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    following.catch_up()
    assert Counter(one["event"]["id"] for one in exported()) == Counter(there())


def test_an_entry_is_told_in_the_names_of_ecs():
    audit.record(CALLER, FileEvent.READ, outcome=Outcome.DENIED, file_id="f", key_id="k", start=3)
    handler(event(records()), None)
    (line,) = exported()
    assert line["event"]["action"] == "file.read"
    assert (line["event"]["outcome"], line["event"]["reason"]) == ("failure", "denied")
    assert line["event"]["category"] == ["file"]
    assert (line["user"]["id"], line["source"]["ip"]) == ("service:caller", "192.0.2.7")
    assert line["qkd"]["detail"] == {"start": 3}
    assert (line["qkd"]["file_id"], line["qkd"]["key_id"], line["qkd"]["via"]) == ("f", "k", "key1")
    assert line["ecs"]["version"] == ecs.VERSION


def test_a_file_that_is_there_is_not_overwritten(aws):
    def put(content, last):
        return bucket.put_first(
            "a", content, media_type="text/plain", told={"last": last}, ours=lambda _: True
        )

    assert put(b"one", "3") == {"last": "3"}
    assert put(b"other", "9") == {"last": "3"}
    assert bucket.read("a") == b"one"


@requirement("I10")
@pytest.mark.parametrize("last", ["1000000", "0", "-1", "x", "", "9" * 30, None])
def test_who_writes_the_bucket_moves_no_place_and_hides_no_entry(last, caplog):
    written(3)
    for chain in {one["dynamodb"]["NewImage"]["chain"]["S"] for one in records()}:
        client("s3").put_object(
            Bucket=django_settings.EXPORTS_BUCKET,
            Key=f"siem/{chain}/{1:012d}.jsonl",
            Body=b"",
            Metadata={} if last is None else {"last": last, "seal": "a.1.b"},
        )
    handler(event(records()), None)
    written(3)
    following.catch_up()
    assert sorted(one["event"]["id"] for one in exported()) == there()
    assert "not the platform's" in caplog.text


@requirement("I10")
def test_the_seal_of_one_file_is_none_of_another():
    written(1)
    handler(event(records()), None)
    s3 = client("s3")
    (first,) = s3.list_objects_v2(Bucket=django_settings.EXPORTS_BUCKET)["Contents"]
    chain = first["Key"].split("/")[1]
    s3.copy_object(
        Bucket=django_settings.EXPORTS_BUCKET,
        Key=f"siem/{chain}/{2:012d}.jsonl",
        CopySource={"Bucket": django_settings.EXPORTS_BUCKET, "Key": first["Key"]},
    )
    written(24)  # some of which come to the same chain
    following.catch_up()
    assert Counter(one["event"]["id"] for one in exported()) == Counter(there())


def test_a_file_that_somebody_changes_all_the_while_is_left_for_later(aws):
    with pytest.raises(Unavailable):
        client("s3").put_object(Bucket=django_settings.EXPORTS_BUCKET, Key="a", Body=b"0")

        def meddling(_):
            client("s3").put_object(Bucket=django_settings.EXPORTS_BUCKET, Key="a", Body=os.urandom(8))
            return False

        bucket.put_first("a", b"one", media_type="text/plain", told={}, ours=meddling)


def test_switched_on_later_it_begins_with_the_first_entry(settings):
    settings.SIEM_EXPORT = False
    written(3)
    handler(event(records()), None)
    assert exported() == []
    settings.SIEM_EXPORT = True
    following.catch_up()
    assert len(exported()) == 3
    audit.record(TESTS, FileEvent.READ)
    following.catch_up()
    assert len(exported()) == 4
