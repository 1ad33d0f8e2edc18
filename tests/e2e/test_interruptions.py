"""kill -9 of any one process, then ``make run`` again: nothing acknowledged is lost."""

import pytest

from tests import requirement
from tests.e2e.conftest import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


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
