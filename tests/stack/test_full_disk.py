"""A full disk: nothing is acknowledged that is not kept, reading goes on, and a start says why it cannot be."""

import os
import resource
import subprocess
import sys

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from apps.stack import layout
from apps.stack.configuration import ROOT
from tests import requirement
from tests.stack.test_durability import make_table
from tests.waiting import LIMIT_SECONDS

MIB = 2**20


@pytest.fixture
def small_disk(tmp_path_factory):
    """A file system of 40 MiB of its own."""
    folder = tmp_path_factory.mktemp("small")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def stack_on_small_disk(small_disk):
    from tests.stack.conftest import Stack

    running = Stack(small_disk / "aws")
    yield running
    running.kill()


def versioned_bucket(stack):
    objects = stack.client("s3")
    objects.create_bucket(Bucket="kept")
    objects.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})


def put_until_refused(stack, names):
    """Put versions of 2 MiB; return those that were acknowledged, and the refusal."""
    kept: dict[tuple[str, str], bytes] = {}
    for number in range(100):
        body = os.urandom(2 * MIB)
        name = names[number % len(names)]
        try:
            answer = stack.client("s3").put_object(Bucket="kept", Key=name, Body=body)
        except (BotoCoreError, ClientError) as error:
            return kept, error
        kept[name, answer["VersionId"]] = body
    raise AssertionError("the disk never was full")


def assert_all_there(stack, kept):
    for (name, version), body in kept.items():
        assert (
            stack.client("s3").get_object(Bucket="kept", Key=name, VersionId=version)["Body"].read() == body
        )


@requirement("G1", "C1", "I4")
def test_on_a_full_disk_nothing_is_acknowledged_that_is_not_kept(stack_on_small_disk):
    stack = stack_on_small_disk
    versioned_bucket(stack)
    make_table(stack)
    kept, refusal = put_until_refused(stack, ["a", "b"])
    assert len(kept) > 5
    assert isinstance(refusal, ClientError)
    assert refusal.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert "The disk is full" in str(refusal)
    with (stack.state_dir / "filler").open("wb") as filler:  # what else fills the disk
        filler.write(bytes(4 * MIB))
    with pytest.raises(ClientError, match="The disk is full"):
        stack.client("dynamodb").put_item(TableName="items", Item={"id": {"S": "x"}})
    assert_all_there(stack, kept)  # reading goes on
    stack.kill()
    (stack.state_dir / "filler").unlink()
    stack.start()
    assert_all_there(stack, kept)


@requirement("G1", "C1", "I4")
@pytest.mark.parametrize("change", ["object", "version", "marker"])
def test_a_write_that_fails_ends_the_stack_before_its_answer(stack, change):
    versioned_bucket(stack)
    first = os.urandom(8_000)
    objects = stack.client("s3")
    version = objects.put_object(Bucket="kept", Key="a", Body=first)["VersionId"]
    # No file may grow beyond this: whatever is written now fails as on a full disk.
    resource.prlimit(stack.process.pid, resource.RLIMIT_FSIZE, (64, 64))
    with pytest.raises((BotoCoreError, ClientError)):
        if change == "marker":
            objects.delete_object(Bucket="kept", Key="a")
        else:
            objects.put_object(Bucket="kept", Key="a" if change == "version" else "b", Body=os.urandom(8_000))
    assert stack.process.wait(timeout=LIMIT_SECONDS) == 74
    stack.start()
    assert_all_there(stack, {("a", version): first})
    assert stack.client("s3").get_object(Bucket="kept", Key="a")["Body"].read() == first
    assert "b" not in str(stack.client("s3").list_objects_v2(Bucket="kept").get("Contents", [])[1:])


@requirement("C1", "I4")
def test_an_object_that_cannot_be_read_is_an_error_and_not_empty(stack):
    versioned_bucket(stack)
    stack.client("s3").put_object(Bucket="kept", Key="a", Body=b"the body")
    (path,) = [p for p in stack.state_dir.rglob("a") if p.is_file()]
    path.rename(path.with_name("moved away"))
    with pytest.raises(ClientError) as refused:
        stack.client("s3").get_object(Bucket="kept", Key="a")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


@requirement("F1")
def test_a_start_on_a_full_disk_says_so_in_a_sentence(small_disk):
    with (small_disk / "filler").open("wb") as filler:
        filler.write(bytes(39 * MIB))
    with pytest.raises(layout.Unusable, match="The disk is full"):
        layout.make(small_disk / "local")
    ended = subprocess.run(
        [sys.executable, "-m", "apps.stack.run"],
        cwd=ROOT,
        env={**os.environ, "LOCAL_DIR": str(small_disk / "local")},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("Cannot start: The disk is full")
    assert "Traceback" not in ended.stderr
