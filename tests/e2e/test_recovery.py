"""The root key of a running platform is lost, and its files come back (C12): the ceremony as docs/custody.md tells it."""

import os
import re
import subprocess
import sys

import pytest
import requests

from apps.stack.configuration import ROOT
from tests import requirement
from tests.e2e.conftest import Platform, eventually
from tests.running import Run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class WithRecovery(Platform):
    """A platform with the recovery key's public half, once there is one."""

    public_key = ""


def managed(platform, *command, words=""):
    """``make manage DO="…"``, what it says, and how it ends."""
    place = {
        "LOCAL_DIR": str(platform.folder),
        "PORT": str(platform.run.port),
        "AWS_PORT": str(platform.run.aws_port),
        "RECOVERY_PUBLIC_KEY": platform.public_key,
    }
    done = subprocess.run(
        [sys.executable, "-m", "apps.stack.manage", *command],
        cwd=ROOT,
        env=os.environ | place,
        input=words,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"$ manage.py {' '.join(command[:4])}\n{done.stdout}{done.stderr}")  # noqa: T201 - the transcript
    return done


def restarted(platform, **environment):
    platform.run = Run(platform.folder, RECOVERY_PUBLIC_KEY=platform.public_key, **environment)
    platform.run.ready()
    platform.url = f"http://127.0.0.1:{platform.run.port}/api/v1"


def key_of(platform, name, *rights):
    """Admit a person, and issue a key for them."""
    said = managed(platform, "person", "admit", name, "--role=operator", *rights).stdout
    [person] = re.findall(r"user:\S+", said)
    return managed(platform, "api_client", "issue", person).stdout.split()[-1]


def content(platform, file_id):
    return platform.call("GET", f"files/{file_id}/content")


@requirement("C12", "D1")
def test_the_root_key_is_lost_and_everything_comes_back(tmp_path):
    platform = WithRecovery(tmp_path / "local")
    file_id = platform.upload("report.txt", b"the only copy")
    eventually(lambda: platform.get(f"files/{file_id}")["status"], lambda status: status == "encrypted")
    package = platform.post("encrypt", {"plaintext": "a message"})

    made = managed(platform, "recovery", "make", "--threshold=2", "--shares=3").stdout
    shares = re.findall(r"share \d: (.+)", made)
    [platform.public_key] = re.findall(r"RECOVERY_PUBLIC_KEY=(\S+)", made)
    words = "\n".join(shares[1:])
    platform.stop()
    restarted(platform)
    assert managed(platform, "recovery", "seal").returncode == 0
    checked = managed(platform, "recovery", "check", words=words)
    assert checked.returncode == 0, checked.stderr

    platform.stop()
    (platform.folder / "root.key").unlink()
    refused = Run(platform.folder)
    assert refused.ended() == 2
    assert "ROOT_KEY_LOST=1" in refused.said
    restarted(platform, ROOT_KEY_LOST="1")
    assert content(platform, file_id).status_code == 409

    asks = {"X-API-Key": key_of(platform, "alice")}
    approves = {"X-API-Key": key_of(platform, "bob", "--approver")}
    asked = requests.post(
        f"{platform.url}/recovery", json={"reason": "root.key is lost"}, headers=asks, timeout=60
    )
    approval = f"{platform.url}/approvals/{asked.json()['approval_id']}"
    by_herself = requests.post(f"{approval}/approve", headers=asks, timeout=60)
    assert by_herself.status_code in {403, 409}, by_herself.text
    by_another = requests.post(f"{approval}/approve", headers=approves, timeout=60)
    assert by_another.ok, by_another.text
    used = ["recovery", "use", "--approval", asked.json()["approval_id"]]
    one = managed(platform, *used, words=shares[0])
    assert one.returncode == 1
    assert content(platform, file_id).status_code == 409
    assert managed(platform, *used, words=words).returncode == 0

    assert content(platform, file_id).content == b"the only copy"
    assert platform.post("decrypt", package)["plaintext"] == "a message"
    whole = managed(platform, "verify_audit", "--records")
    assert whole.returncode == 0, whole.stdout
    platform.stop()
