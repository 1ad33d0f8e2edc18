"""kill -9 of any one process, then ``make run`` again: nothing acknowledged is lost. And one event that several work on."""

import json
import os
import subprocess
import sys

import pytest

from apps.stack.configuration import ROOT
from tests import requirement
from tests.e2e.conftest import eventually
from tests.e2e.test_kill import s3

pytestmark = [pytest.mark.e2e]
DELIVERY = """
import json, os, sys
os.environ.update(json.load(open(sys.argv[1])))
from qkdplatform.lambda_handler import handler
event = json.load(open(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    try:
        handler(event, None)
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}\\n")
    else:
        break
else:
    sys.exit(1)
"""


@requirement("I3", "I4")
def test_one_event_delivered_to_four_processes_at_once(platform, tmp_path):
    file_id = platform.post("files", {"name": "contended"})["file"]["file_id"]
    content, store = os.urandom(9 * 2**20), s3(platform)
    version = store.put_object(Bucket="qkd-local-uploads", Key=f"uploads/{file_id}", Body=content)[
        "VersionId"
    ]
    found = {
        "bucket": {"name": "qkd-local-uploads"},
        "object": {"key": f"uploads/{file_id}", "versionId": version},
    }
    event = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": found}]}
    (tmp_path / "event.json").write_text(json.dumps(event))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "LOCAL_DIR": str(platform.folder),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{platform.run.aws_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DATABASE_URL": "sqlite://:memory:",
    }
    command = [
        sys.executable,
        "-c",
        DELIVERY,
        str(platform.folder / "secrets.json"),
        str(tmp_path / "event.json"),
    ]
    workers = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdout
        worker.stdout.readline()  # it has loaded what it needs
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate()
    assert [worker.returncode for worker in workers] == [0] * 4
    # The platform's own relay is a fifth, and may be the last
    eventually(lambda: platform.get(f"files/{file_id}")["status"], lambda status: status == "encrypted")
    assert platform.downloaded(file_id) == content
    place = {"Bucket": "qkd-local-encrypted", "Prefix": f"files/{file_id}/"}
    eventually(lambda: store.list_object_versions(**place)["Versions"], lambda bodies: len(bodies) == 1)
    assert platform.get("files")["items"][0]["file_id"] == file_id


def acknowledged(platform):
    """One of each thing that the platform can have said yes to."""
    session = platform.post("qkd/generate", {"key_length": 256, "error_rate": 0.02})
    package = platform.post("encrypt", {"plaintext": "kept"})
    job = platform.post("qkd/batches", {"count": 5, "key_length": 128})
    file_id = platform.upload("kept.bin", b"kept" * 50_000)
    return session["session_id"], package, job["job_id"], file_id


def assert_kept(platform, things):
    session_id, package, job_id, file_id = things
    assert platform.post("decrypt", package)["plaintext"] == "kept"
    file = eventually(lambda: platform.get(f"files/{file_id}"), lambda f: f["status"] != "awaiting_upload")
    assert file["status"] == "encrypted"
    assert platform.downloaded(file_id) == b"kept" * 50_000
    eventually(lambda: platform.get(f"qkd/session/{session_id}")["status"], lambda status: status == "ready")
    eventually(lambda: platform.get(f"jobs/{job_id}")["state"], lambda state: state == "succeeded")


# With the supervisor all end, within milliseconds: which one is first makes little difference, and each takes two starts
FIRST = ["aws", *(pytest.param(name, marks=pytest.mark.slow) for name in ("web", "relay", "worker"))]


@requirement("I4")
@pytest.mark.parametrize("name", FIRST)
def test_nothing_acknowledged_is_lost(platform, name):
    things = acknowledged(platform)
    platform.kill(name)
    platform.start()
    assert_kept(platform, things)
