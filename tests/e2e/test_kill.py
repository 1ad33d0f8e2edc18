"""A hundred files while processes of the platform are killed at random moments: none is lost, none left over."""

import os
import random
import threading
import time

import boto3
import pytest
import requests

from tests import requirement
from tests.e2e.conftest import Platform, eventually

pytestmark = [pytest.mark.e2e]
FILES = 100
KILLS = 8
WAIT_SECONDS = 420  # the sweep takes up what is 300 s old


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.setenv("STACK_SCHEDULE_SECONDS", "10")
    made = Platform(tmp_path / "local")
    yield made
    if made.run.process.poll() is None:
        made.stop()
    if made.run.process.stdout:
        made.run.process.stdout.close()


class Uploader(threading.Thread):
    """Uploads files one after another, each until it is acknowledged."""

    def __init__(self, platform):
        super().__init__(daemon=True)
        self.platform, self.acknowledged = platform, {}

    def run(self):
        while len(self.acknowledged) < FILES:
            content = os.urandom(random.choice([0, 1000, 200_000, 9 * 2**20]))
            try:
                self.acknowledged[self.platform.upload("a file", content)] = content
            except (requests.RequestException, AssertionError):
                time.sleep(0.2)


@requirement("I4", "I3", "C9")
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_file_of_a_hundred_is_lost(platform):
    uploader = Uploader(platform)
    uploader.start()
    for _ in range(KILLS):
        time.sleep(random.uniform(0.2, 5))
        platform.kill(random.choice(["aws", "web", "relay", "worker"]))
        platform.start()
    uploader.join(timeout=600)
    assert len(uploader.acknowledged) == FILES
    deadline = time.monotonic() + WAIT_SECONDS
    waiting = set(uploader.acknowledged)
    while waiting and time.monotonic() < deadline:
        waiting = {i for i in waiting if platform.get(f"files/{i}")["status"] == "awaiting_upload"}
        time.sleep(1)
    assert waiting == set()
    for file_id, content in uploader.acknowledged.items():
        assert platform.get(f"files/{file_id}")["status"] == "encrypted"
        assert platform.downloaded(file_id) == content
    shown = [platform.get(f"files/{file_id}") for file_id in uploader.acknowledged]
    used = [file["quantum_key_id"] for file in shown]
    assert len(set(used)) == len(used)
    eventually(
        lambda: s3(platform).list_object_versions(Bucket="qkd-local-uploads").get("Versions", []),
        lambda v: not v,
    )


def s3(platform):
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{platform.run.aws_port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
