"""The main job through the API, in process: the stream and the S3 events are delivered by hand."""

import requests

from apps.audit.verification import verify
from apps.common.aws import client
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.events import stream_insert, upload_created


def generated(api, **body):
    answer = api.post("qkd/generate", {"key_length": 256, "error_rate": 0.02, **body})
    assert answer.status_code == 201, answer.content
    return answer.json()


@requirement("E1", "A5", "A8", "B1")
def test_a_session_turns_ready_once_its_stream_record_arrived(api):
    made = generated(api)
    assert made["status"] == "pending"
    assert made["final_key_length"] == 256
    assert handler(stream_insert(made["session_id"]), None) == {"batchItemFailures": []}
    shown = api.get(f"qkd/session/{made['session_id']}").json()
    assert (shown["status"], shown["keys_total"]) == ("ready", 1)
    verdict = api.get(f"detections/{made['session_id']}").json()
    assert not verdict["is_compromised"]


@requirement("A6", "B2", "B5", "I7")
def test_an_eavesdropped_session_yields_no_key_and_a_detection(api):
    made = generated(api, eavesdropper={"kind": "intercept_resend", "fraction": 1.0})
    assert made["final_key_length"] == 0
    assert made["reason_code"] == "qber_above_bound"
    handler(stream_insert(made["session_id"]), None)
    assert api.get(f"qkd/session/{made['session_id']}").json()["status"] == "compromised"
    verdict = api.get(f"detections/{made['session_id']}").json()
    assert verdict["is_compromised"]
    assert 0.2 < verdict["qber_calculated"] < 0.3


@requirement("A6", "B2")
def test_eavesdroppers_that_work_together_are_asked_for_by_name(api):
    made = generated(api, eavesdropper={"kind": "intercept_resend:0.9+beam_splitting"})
    assert made["parameters"]["eavesdropper"]["kind"] == "intercept_resend:0.9+beam_splitting"
    handler(stream_insert(made["session_id"]), None)
    assert api.get(f"qkd/session/{made['session_id']}").json()["status"] == "compromised"


@requirement("C11")
def test_a_message_comes_back(api, stock):
    sealed = api.post("encrypt", {"plaintext": "Grüße, 世界"})
    assert sealed.status_code == 200, sealed.content
    opened = api.post("decrypt", sealed.json())
    assert opened.json()["plaintext"] == "Grüße, 世界"


@requirement("C1", "C7", "C8")
def test_an_uploaded_file_is_encrypted_and_comes_back(api, stock):
    content = b"%PDF-1.7 " + bytes(range(256)) * 5000
    upload = api.post(
        "files", {"name": "a b ü.pdf", "document_type": "report", "media_type": "application/pdf"}
    )
    assert upload.status_code == 201, upload.content
    file_id = upload.json()["file"]["file_id"]
    assert requests.put(upload.json()["upload_url"], data=content, timeout=5).status_code == 200
    handler(upload_created(file_id), None)
    shown = api.get(f"files/{file_id}").json()
    assert (shown["status"], shown["size"], shown["name"]) == ("encrypted", len(content), "a b ü.pdf")
    answer = api.get(f"files/{file_id}/content")
    assert answer.content == content
    assert "filename*=utf-8''a%20b%20%C3%BC.pdf" in answer["Content-Disposition"]
    url = api.post(f"files/{file_id}/download").json()["url"]
    assert requests.get(url, timeout=5).content == content
    versions = client("s3").list_object_versions(Bucket="qkd-local-uploads")
    assert not versions.get("Versions")
    assert verify().problems == []
