"""A power cut: of the files only what was flushed is left, and whatever was acknowledged is among that (I4)."""

import json
import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.stack import pulse, testing
from apps.stack.configuration import ROOT
from apps.stack.embedded.journal import DamagedJournal, Journal
from apps.stack.ports import status_of
from tests import requirement
from tests.stack.conftest import Stack
from tests.stack.test_durability import TABLE, items, make_table
from tests.waiting import LIMIT_SECONDS, wait_for

WRITERS = 4


class Cut(Stack):
    """An embedded AWS whose power may be cut."""

    def __init__(self, folder: Path) -> None:
        self.power = folder / "power"
        super().__init__(folder / "aws")

    def start(self) -> None:
        if self.power.exists():
            super().start()
            return
        self.port = testing.free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "STATE_DIR": str(self.state_dir),
            "POWER_DIR": str(self.power),
            "GATEWAY_PORT": str(self.port),
        }
        python = ROOT / ".venv-stack" / "bin" / "python"
        self.process = subprocess.Popen(
            [python, "-P", ROOT / "tests/stack/power_script.py"], cwd=ROOT, env=environment
        )
        testing._wait(self.process, self.port)

    def cut(self) -> None:
        """End it, and leave of its files what was flushed."""
        self.kill()
        there = self.state_dir.rename(self.state_dir.with_name("before"))
        self._restore(there.stat().st_ino, self.state_dir)

    def _restore(self, inode: int, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        names = self.power / "folders" / str(inode)
        for name, (found, is_folder) in json.loads(names.read_text() if names.exists() else "{}").items():
            if is_folder:
                self._restore(found, folder / name)
            else:
                content = self.power / "files" / str(found)
                (folder / name).write_bytes(content.read_bytes() if content.exists() else b"")


@pytest.fixture
def stack(tmp_path):
    made = Cut(tmp_path)
    yield made
    made.kill()


class Acknowledged:
    """What several clients were told is kept."""

    def __init__(self, stack, bucket, url):
        self.stack, self.bucket, self.url = stack, bucket, url
        self.items: list[str] = []
        self.objects: dict[str, tuple[str, bytes]] = {}
        self.messages: list[str] = []
        self.enough = threading.Event()

    def write(self, number):
        dynamodb, s3, sqs = (self.stack.client(name) for name in ("dynamodb", "s3", "sqs"))
        for turn in range(10_000):
            try:
                name = f"{number}-{turn}"
                dynamodb.put_item(TableName=TABLE, Item={"id": {"S": name}, "body": {"S": "x" * 200}})
                self.items.append(name)
                key, body = f"deep/er/{number}/{turn // 3}", os.urandom(2000)
                made = s3.put_object(Bucket=self.bucket, Key=key, Body=body)
                self.objects[made["VersionId"]] = (key, body)
                sqs.send_message(QueueUrl=self.url, MessageBody=name)
                self.messages.append(name)
            except Exception:  # noqa: BLE001 - the power was cut
                return
            if len(self.items) > 40 * WRITERS:
                self.enough.set()


@requirement("G1", "I4")
def test_whatever_was_acknowledged_survives_a_power_cut(stack):
    make_table(stack)
    s3 = stack.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    kept = Acknowledged(stack, "kept", stack.client("sqs").create_queue(QueueName="kept")["QueueUrl"])
    writers = [threading.Thread(target=kept.write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    assert kept.enough.wait(LIMIT_SECONDS)
    stack.cut()
    for writer in writers:
        writer.join()
    stack.start()
    assert set(kept.items) <= items(stack).keys()
    s3, sqs = stack.client("s3"), stack.client("sqs")
    for version, (key, body) in kept.objects.items():
        assert s3.get_object(Bucket="kept", Key=key, VersionId=version)["Body"].read() == body
    url, found = sqs.get_queue_url(QueueName="kept")["QueueUrl"], set[str]()
    while told := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found |= {message["Body"] for message in told}
    assert set(kept.messages) <= found
    assert min(len(kept.items), len(kept.objects), len(kept.messages)) > 30 * WRITERS


@requirement("G1", "I4")
def test_a_version_is_on_the_disk_as_one_of_the_past_before_another_takes_its_place(stack):
    """Files are flushed in any order: where its copy came last, a power cut took what had been acknowledged."""
    s3 = stack.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="kept", Key="deep/er", Body=b"first")["VersionId"]
    (stack.power / "slow").write_text("/.versions")
    with ThreadPoolExecutor(1) as thread:
        second = thread.submit(s3.put_object, Bucket="kept", Key="deep/er", Body=b"second")
        wait_for((stack.power / "waits").exists)
        stack.cut()
        assert second.exception() is not None
    stack.start()
    answer = stack.client("s3").get_object(Bucket="kept", Key="deep/er", VersionId=first)
    assert answer["Body"].read() == b"first"


@requirement("G1", "E5")
def test_whether_it_lives_is_answered_while_the_disk_takes_nothing(stack):
    """It was not, and the supervisor ends an embedded AWS that does not answer for half a minute."""
    make_table(stack)
    slow = stack.power / "slow"
    slow.touch()
    with ThreadPoolExecutor(1) as thread:
        put = thread.submit(stack.client("dynamodb").put_item, TableName=TABLE, Item={"id": {"S": "slow"}})
        try:
            wait_for((stack.power / "waits").exists)
            assert status_of("127.0.0.1", stack.port, pulse.ALIVE_PATH, seconds=LIMIT_SECONDS) == 200
            assert not put.done()
        finally:
            slow.unlink()
        put.result()


FIRST = ["flushed", 0]


def journal_of(folder, *entries):
    """A journal that says how much of it is flushed."""
    made = Journal(folder)
    made.open()
    for entry in entries:
        made.append(entry)
    made.close()
    return folder / "journal-0000000001.log"


def hole(path, text):
    path.write_bytes(path.read_bytes().replace(text, bytes(len(text))))


@requirement("G1", "I4")
def test_a_hole_in_what_nobody_had_an_answer_to_is_where_the_journal_ends(tmp_path):
    path = journal_of(tmp_path, FIRST, ["answered"], ["flushed", 20], ["torn"], ["came later"], ["last"])
    hole(path, b"torn")
    assert list(Journal(tmp_path).entries()) == [(1, ["answered"])]


@requirement("G1", "I4")
@pytest.mark.parametrize("before", [[], [FIRST]], ids=["says nothing", "says more"])
def test_damage_to_what_was_acknowledged_is_an_error(tmp_path, before):
    path = journal_of(tmp_path, *before, ["answered"], ["flushed", 45], ["later"])
    hole(path, b"answered")
    with pytest.raises(DamagedJournal):
        list(Journal(tmp_path).entries())
