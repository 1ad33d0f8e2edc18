"""What the code asks of AWS and what the roles allow, both ways: nothing is missing, nothing is unused."""

import ast
import importlib.util
import re
import sys

import boto3
import pytest
from django.conf import settings

from apps.files.bodies.objects import ObjectRef
from apps.files.uploads import pipeline
from apps.stack.configuration import ROOT
from tests import aws_calls, requirement
from tests.conftest import TESTS
from tests.uploads import put

spec = importlib.util.spec_from_file_location("rights", ROOT / "infra" / "rights.py")
assert spec
assert spec.loader
rights = importlib.util.module_from_spec(spec)
sys.modules["rights"] = rights
spec.loader.exec_module(rights)

# IAM's actions by the SDK's calls, where they are not called the same (AWS service authorization reference)
ACTIONS = {
    "s3:AbortMultipartUpload": ["s3:AbortMultipartUpload"],
    "s3:CompleteMultipartUpload": ["s3:PutObject"],
    "s3:CopyObject": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
    "s3:CreateMultipartUpload": ["s3:PutObject"],
    "s3:DeleteObject": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
    "s3:GeneratePresignedPost": ["s3:PutObject"],
    "s3:GetObject": ["s3:GetObject", "s3:GetObjectVersion"],
    "s3:GetObjectTagging": ["s3:GetObjectTagging", "s3:GetObjectVersionTagging"],
    "s3:HeadBucket": ["s3:ListBucket"],
    "s3:HeadObject": ["s3:GetObject", "s3:GetObjectVersion"],
    "s3:ListMultipartUploads": ["s3:ListBucketMultipartUploads"],
    "s3:ListObjectVersions": ["s3:ListBucketVersions"],
    "s3:ListObjectsV2": ["s3:ListBucket"],
    "s3:ListParts": ["s3:ListMultipartUploadParts"],
    "s3:PutObject": ["s3:PutObject", "s3:PutObjectRetention"],  # with a lock: checkpoints
    "s3:UploadPart": ["s3:PutObject"],
    "s3:UploadPartCopy": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
    # An action for each of the items; kombu and PynamoDB make these calls
    "dynamodb:TransactWriteItems": [
        f"dynamodb:{name}" for name in ("ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem")
    ],
}
# Calls that libraries make for us, with what in our code brings them about
BY_LIBRARIES = {
    "dynamodb:BatchGetItem": r"BatchGetItem",
    "dynamodb:GetItem": r"\.get\(hash_key",
    "dynamodb:Query": r"\.query\(",
    "dynamodb:Scan": r"\.scan\(",
    "dynamodb:TransactWriteItems": r"TransactWrite|transact_write",
    "dynamodb:UpdateItem": r"row\.update\(",
    "sqs:GetQueueAttributes": r"apply_async|\.delay\(",  # kombu asks for a queue's size when it opens it
    "sqs:SendMessage": r"apply_async|\.delay\(",
    "s3:UploadPart": r"upload_part",
    "secretsmanager:GetSecretValue": r"get_secret_value",
    "kms:Decrypt": r"_client\.decrypt",
    "kms:DescribeKey": r"describe_key",
    "kms:Encrypt": r"_client\.encrypt",
    "kms:GenerateDataKey": r"generate_data_key",
}
# What AWS itself does in the function's name: event sources, logs, traces, interfaces
BY_AWS = {
    *(f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")),
    *("sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage"),
    *("logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"),
}
SOURCES = [
    path
    for package in ("apps", "qkdplatform")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "/stack/" not in path.as_posix()
]


def service_of(node):
    """The service of ``aws.client("x")``."""
    is_client = (
        isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "client"
    )
    if is_client and node.args and isinstance(node.args[0], ast.Constant):
        return node.args[0].value
    return None


def calls_in(source):
    """Yield every ``service:Operation`` that a module calls on a client."""
    tree = ast.parse(source)
    named: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and (service := service_of(node.value)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            named |= {target.id: service for target in targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        service = service_of(node.value) or (isinstance(node.value, ast.Name) and named.get(node.value.id))
        if service:
            yield service, node.attr
    for node in ast.walk(tree):  # presigned and paged calls name their operation
        names = {"generate_presigned_url", "get_paginator"}
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in names:
            yield "s3", getattr(node.args[0], "value", "")


@pytest.fixture(scope="module")
def called():
    """Every call that the platform makes, as ``service:Operation``, checked against botocore's models."""
    found = set()
    for path in SOURCES:
        for service, method in calls_in(path.read_text()):
            mapping = boto3.client(service, "us-east-1").meta.method_to_api_mapping
            if method in mapping:
                found.add(f"{service}:{mapping[method]}")
            elif method == "generate_presigned_post":
                found.add("s3:GeneratePresignedPost")
    text = "\n".join(path.read_text() for path in SOURCES)
    return found | {call for call, pattern in BY_LIBRARIES.items() if re.search(pattern, text)}


def needed(called):
    return {action for call in called for action in ACTIONS.get(call, [call])}


def allowed():
    return {f"{right.service}:{action}" for right in rights.RIGHTS for action in right.actions}


@requirement("G2", "E7")
def test_whatever_the_code_calls_is_allowed(called):
    assert len(called) > 20
    assert needed(called) - allowed() == set(), "add it to infra/rights.py"


@requirement("G2", "E7")
def test_whatever_is_allowed_is_called(called):
    assert allowed() - needed(called) - BY_AWS == set(), "take it out of infra/rights.py"


@requirement("G2")
def test_a_call_that_nobody_allowed_would_be_found():
    source = 'from apps.common import aws\ns3 = aws.client("s3")\ns3.put_bucket_policy(Bucket="x")\n'
    assert list(calls_in(source)) == [("s3", "put_bucket_policy")]
    assert needed({"s3:PutBucketPolicy"}) - allowed() == {"s3:PutBucketPolicy"}


@requirement("G2")
def test_what_libraries_call_is_said_by_what_brings_it_about():
    text = "\n".join(path.read_text() for path in SOURCES)
    assert [call for call, pattern in BY_LIBRARIES.items() if not re.search(pattern, text)] == []


@requirement("G2", "G9")
@pytest.mark.django_db
def test_what_is_really_called_is_allowed(api, stock, monkeypatch):
    """A message, an upload and a rotation, by what botocore is about to send; ``tests/aws_calls.py`` records whole runs."""
    monkeypatch.setattr(aws_calls, "recorded", set())
    package = api.post("encrypt", {"plaintext": "hello"})
    assert package.status_code == 200
    assert api.post("decrypt", package.json()).status_code == 200
    upload = put("a file", b"content")
    found = pipeline.encrypt_uploaded(
        ObjectRef(settings.UPLOADS_BUCKET, upload.key, upload.version), actor=TESTS
    )
    assert found is not None
    seen = set(aws_calls.recorded or ())
    assert {"dynamodb:TransactWriteItems", "dynamodb:BatchGetItem", "s3:GetObject", "s3:DeleteObject"} <= seen
    assert needed(seen) - allowed() == set()


def queues_of(function, action):
    return {
        resource.rpartition("{prefix}-")[2]
        for right in rights.RIGHTS
        if function in right.functions and right.service == "sqs" and action in right.actions
        for resource in right.resources
    }


@requirement("C6", "E7")
def test_every_queue_can_be_counted_and_the_dead_letters_tried_again():
    every = {"jobs", "custody", "upload-events", "dead-letters"}
    for function in (rights.API, rights.WORKER):
        assert queues_of(function, "GetQueueAttributes") == every, "what is stuck counts what waits in each"
        assert queues_of(function, "GetQueueUrl") == every
    assert queues_of(rights.WORKER, "ReceiveMessage") == every, "manage.py redrive runs on the worker"
    assert queues_of(rights.WORKER, "DeleteMessage") == every
