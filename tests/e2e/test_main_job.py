"""The main job over HTTP, on the platform as ``make run`` starts it, or on a deployed stage (``make e2e URL=…``)."""

import os
import re
import subprocess
import sys

import boto3
import pytest
import requests

from apps.stack.configuration import ROOT
from tests import requirement
from tests.e2e.conftest import STAGE, eventually, local
from tests.waiting import LIMIT_SECONDS

pytestmark = [pytest.mark.e2e]
PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"


def session_status(platform, session_id):
    return eventually(lambda: platform.get(f"qkd/session/{session_id}"), lambda s: s["status"] != "pending")


def managed(platform, *command):
    """A management command with the settings of the running platform."""
    secrets = platform.folder / "secrets.json"
    program = f"""
import json, os, sys
os.environ.update(json.load(open({str(secrets)!r})))
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""
    environment = {
        "PATH": os.environ["PATH"],
        "LOCAL_DIR": str(platform.folder),
        "DJANGO_SETTINGS_MODULE": "qkdplatform.settings",
        **aws_environment(platform),
    }
    return subprocess.run(
        [sys.executable, "-c", program, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def aws_environment(platform):
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{platform.run.aws_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def dynamodb(platform):
    return boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{platform.run.aws_port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@requirement("A1", "A4", "A8", "B1", "E1")
def test_1_a_session_becomes_ready_through_the_stream(platform):
    answer = platform.call("POST", "qkd/generate", {"key_length": 256, "error_rate": 0.02})
    made = answer.json()
    assert (answer.status_code, made["status"], made["final_key_length"]) == (201, "pending", 256)
    assert session_status(platform, made["session_id"])["status"] == "ready"


@requirement("A6", "B2", "B5", "I7")
def test_1_an_eavesdropper_leaves_a_detection_and_no_key(platform):
    body = {
        "key_length": 256,
        "error_rate": 0.02,
        "eavesdropper": {"kind": "intercept_resend", "fraction": 1.0},
    }
    made = platform.post("qkd/generate", body)
    assert session_status(platform, made["session_id"])["status"] == "compromised"
    assert platform.get(f"detections/{made['session_id']}")["is_compromised"]


@requirement("C1", "C2", "C7", "C8", "I4")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("report.pdf", PDF),
        ("nothing.txt", b""),
        ("Übergröße & leere Zeichen.bin", b"x" * 70_001),
        ("..%2f..%2fetc%2fpasswd", b"data, never a path"),
        ("archive.tar", os.urandom(1 << 20) * 65),  # a job decrypts it
    ],
    ids=["pdf", "empty", "umlauts", "path-tricks", "65-MiB"],
)
def test_2_an_upload_is_encrypted_and_comes_back(platform, name, content):
    file_id = platform.upload(name, content)
    shown = eventually(lambda: platform.get(f"files/{file_id}"), lambda f: f["status"] != "awaiting_upload")
    assert (shown["status"], shown["name"], shown["size"]) == ("encrypted", name, len(content))
    assert platform.downloaded(file_id) == content
    if STAGE:  # its buckets are its own
        return
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{platform.run.aws_port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    eventually(
        lambda: s3.list_object_versions(Bucket="qkd-local-uploads").get("Versions", []), lambda v: not v
    )


@requirement("C11")
def test_3_a_message_comes_back(platform):
    package = platform.post("encrypt", {"plaintext": "attack at dawn", "context": "orders"})
    assert platform.post("decrypt", {**package, "context": "orders"})["plaintext"] == "attack at dawn"
    assert platform.call("POST", "decrypt", {**package, "context": "another"}).status_code == 400


@requirement("F1", "F6")
def test_4_the_console_asks_for_a_password(platform):
    page = requests.get(platform.first_run["console_url"], timeout=LIMIT_SECONDS)
    assert "/accounts/login/" in page.url
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]


@requirement("A9", "E1")
def test_a_batch_runs_in_the_background(platform):
    job = platform.post("qkd/batches", {"count": 3, "key_length": 128})
    done = eventually(
        lambda: platform.get(f"jobs/{job['job_id']}"), lambda j: j["state"] in {"succeeded", "failed"}
    )
    assert (done["state"], done["done"]) == ("succeeded", 3)
    for session_id in done["results"]["session_ids"]:
        assert session_status(platform, session_id)["status"] == "ready"


@requirement("E2", "I8")
def test_bad_input_is_a_problem_document(platform):
    answer = platform.call("POST", "qkd/generate", {"key_length": 63, "colour": "red"})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {error["field"] for error in answer.json()["errors"]} == {"colour"}


@requirement("E5")
def test_every_dependency_is_ready(platform):
    """Soon: a machine with much else to do answers late at times, and what the tests before took is filled up again."""
    ready = eventually(lambda: platform.call("GET", "health/ready"), lambda answer: answer.ok).json()
    assert {check["name"]: check["ok"] for check in ready["checks"]} == dict.fromkeys(
        [
            "tables",
            "buckets",
            "queue",
            "custody_queue",
            "console_database",
            "root_key",
            "pool_keys",
            "quantum_keys",
        ],
        True,
    )


@local
@requirement("D3")
def test_5_the_audit_trail_verifies_and_names_an_edited_entry(platform):
    table = "qkd-local-audit"
    entry = dynamodb(platform).scan(TableName=table, Limit=1)["Items"][0]
    key = {"chain": entry["chain"], "sequence": entry["sequence"]}

    def set_event(value):
        dynamodb(platform).update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET event = :event",
            ExpressionAttributeValues={":event": value},
        )

    set_event({"S": "nothing.happened"})
    edited = managed(platform, "verify_audit")
    assert edited.returncode == 1
    assert (
        f"chain {entry['chain']['S']}, entry {entry['sequence']['N']}: its content was changed"
        in edited.stderr
    )
    set_event(entry["event"])
    whole = managed(platform, "verify_audit")
    assert whole.returncode == 0, whole.stderr
    assert "OK: " in whole.stdout


@local
@requirement("H2")
def test_the_commands_of_readme_do_what_it_says(platform, tmp_path):
    """What README tells a newcomer to type, typed."""
    readme = (ROOT / "README.md").read_text()
    commands = re.search(r"tests/e2e/test_main_job.py -->\n```sh\n(.*?)```", readme, re.DOTALL)
    assert commands
    (tmp_path / ".local").symlink_to(platform.folder)
    (tmp_path / "README.md").write_text(readme)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands[1]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ready, tapped, reasons, message, status, same = done.stdout.splitlines()
    assert (ready, tapped, status, same) == ("ready", "compromised", "encrypted", "the same bytes")
    assert "qber_above_threshold" in reasons
    assert '"plaintext":"attack at dawn"' in message
