"""A stage is removed whole, from whatever folder, and nothing of one that is protected."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from deploy import gateway, removal
from deploy.__main__ import main
from deploy.cloud import Cloud, DeployFailed
from deploy.stages import BadStage, read_config
from deploy.steps import Deployment
from tests import requirement
from tests.deploy.test_settings import OUTPUTS

pytestmark = requirement("G8")
STACK = "qkd-pr1-state"


@pytest.fixture
def cloud(monkeypatch):
    monkeypatch.setattr("deploy.cloud.POLL_SECONDS", 0.0)
    with mock_aws():
        yield Cloud("us-east-1")


class Parts:
    """What a stage consists of, as far as its removal goes; notes what is removed, in order."""

    account = "1"

    def __init__(self, *, protected=False, locked=()):
        self.told = OUTPUTS | {"AccessLogsBucket": "logs", "SecretId": "s"}
        self.protected, self.locked, self.calls = protected, locked, list[str]()

    def outputs(self, name):
        return self.told if name == STACK else {}

    def is_protected(self, name):
        return self.protected and name == STACK

    def empty_bucket(self, name):
        self.calls.append(f"empty {name}")
        return int(name in self.locked)

    def remove_stack(self, name, keep=()):
        self.calls.append(" ".join([f"remove {name}", *keep]))


@pytest.fixture
def removed(monkeypatch):
    """Removes a stage of given parts; returns what was called."""

    def remove(parts: Any):
        monkeypatch.setenv("YES", "pr1")
        monkeypatch.setattr(removal, "remove_api", lambda _deployment: parts.calls.append("API"))
        assert removal.undeploy(Deployment(read_config("pr1"), parts), []) == 0
        return parts.calls

    return remove


def test_every_bucket_is_emptied_before_its_stack_is_removed_and_that_of_the_logs_last(removed):
    """CloudFormation removes no bucket that holds anything, and the others' removals are logged there."""
    calls = removed(Parts())
    emptied = [call for call in calls if call.startswith("empty")]
    assert {call.split()[1] for call in emptied} == {
        value for name, value in OUTPUTS.items() if name.endswith("Bucket")
    } | {"logs"}
    assert emptied[-1] == "empty logs"
    assert calls[0] == "API"
    assert calls[-3:] == ["empty logs", f"remove {STACK}", "remove qkd-pr1-network"]


def test_a_bucket_that_holds_what_nobody_may_remove_stays_and_is_named(removed, capsys):
    calls = removed(Parts(locked={"qkd-dev-1-checkpoints"}))
    assert f"remove {STACK} qkd-dev-1-checkpoints" in calls
    assert "qkd-dev-1-checkpoints stays: S3 keeps 1 objects" in capsys.readouterr().out


def test_nothing_is_removed_of_a_stage_that_was_deployed_as_protected(removed):
    parts = Parts(protected=True)
    with pytest.raises(BadStage, match="make deploy STAGE=pr1"):
        removed(parts)
    assert parts.calls == []


@pytest.fixture
def api(cloud, monkeypatch, tmp_path):
    """A stage whose functions are there; Zappa removes what it is told to, but for what ``stays``."""
    there, ran = {"qkdplatform-pr1", "qkdplatform-pr1-worker"}, list[str]()
    made = Deployment(read_config("pr1"), cloud)
    monkeypatch.setattr("deploy.steps.BUILD", tmp_path)
    monkeypatch.setattr(Deployment, "api_id", "")
    monkeypatch.setattr(cloud, "outputs", lambda name: OUTPUTS if name == STACK else {})
    monkeypatch.setattr(removal, "exists", lambda _deployment, function: function in there)
    cloud.client("logs").create_log_group(logGroupName=gateway.log_group(made.config))

    def remove(*, stays=""):
        def zappa(verb, name, *words):
            settings = json.loads((tmp_path / "zappa_settings.pr1.json").read_text())
            assert name in settings
            assert words == ("--yes", "--settings_file", str(made.settings_path))
            ran.append(f"{verb} {name}")
            there.difference_update({f"qkdplatform-{name}"} - {stays})

        monkeypatch.setattr(removal, "_zappa", zappa)
        removal.remove_api(made)
        return ran

    return SimpleNamespace(
        remove=remove, groups=lambda: cloud.client("logs").describe_log_groups()["logGroups"]
    )


def test_functions_are_removed_from_a_folder_that_did_not_deploy_them(api):
    assert api.remove() == ["undeploy pr1-worker", "undeploy pr1"]
    assert api.groups() == []
    assert len(api.remove()) == 2, "nothing is left to remove"


def test_functions_that_zappa_leaves_are_named_and_not_forgotten(api):
    with pytest.raises(DeployFailed, match="did not remove qkdplatform-pr1-worker"):
        api.remove(stays="qkdplatform-pr1-worker")
    assert len(api.groups()) == 1


class Formation:
    """CloudFormation with one stack that is not removed as long as one of its buckets is not retained."""

    def __init__(self, *, bucket="b", stays_for=1):
        self.bucket, self.fails, self.deletions = bucket, stays_for, []

    def describe_stacks(self, **_):
        if len(self.deletions) > self.fails:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "x does not exist"}}, "any")
        return {"Stacks": [{"StackStatus": "DELETE_FAILED" if self.deletions else "CREATE_COMPLETE"}]}

    def delete_stack(self, **told):
        self.deletions.append(told.get("RetainResources"))

    def describe_stack_events(self, **_):
        failed = {"ResourceStatus": "DELETE_FAILED", "LogicalResourceId": "B", "ResourceStatusReason": "full"}
        return {"StackEvents": [failed]}

    def get_paginator(self, _name):
        found = [
            {"LogicalResourceId": "B", "PhysicalResourceId": self.bucket},
            {"LogicalResourceId": "C", "PhysicalResourceId": "c"},
            {"LogicalResourceId": "D"},
        ]
        return SimpleNamespace(paginate=lambda **_: [{"StackResourceSummaries": found}])


@pytest.mark.parametrize(
    ("formation", "keep", "failed", "deletions"),
    [
        (Formation(stays_for=0), ["b"], False, [None]),
        (Formation(), ["b"], False, [None, ["B"]]),
        (Formation(), [], True, [None]),
        (Formation(bucket="other"), ["b"], True, [None]),
        (Formation(stays_for=2), ["b"], True, [None, ["B"]]),
    ],
    ids=["goes", "is-kept", "nothing-to-keep", "another-one", "something-else"],
)
def test_a_stack_is_removed_but_for_what_may_stay(formation, keep, failed, deletions, cloud, monkeypatch):
    monkeypatch.setattr(cloud, "client", lambda _: formation)
    if failed:
        with pytest.raises(DeployFailed, match="B: full"):
            cloud.remove_stack("x", keep=keep)
    else:
        cloud.remove_stack("x", keep=keep)
    assert formation.deletions == deletions


def test_cloudformation_is_told_whether_a_stack_may_be_removed(cloud, monkeypatch):
    told = {}

    def update(**words):
        told[words["StackName"]] = words["EnableTerminationProtection"]

    def describe(**words):
        protected = told[words["StackName"]]
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "EnableTerminationProtection": protected}]}

    made = SimpleNamespace(update_termination_protection=update, describe_stacks=describe)
    monkeypatch.setattr(cloud, "client", lambda _: made)
    for on in (True, False):
        cloud.protect("x", on=on)
        assert cloud.is_protected("x") is on


def test_every_version_of_a_bucket_goes_and_a_bucket_that_is_gone_is_no_error(cloud):
    s3 = cloud.client("s3")
    cloud.ensure_bucket("full")
    s3.put_bucket_versioning(Bucket="full", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket="full", Key="a", Body=body)
    s3.delete_object(Bucket="full", Key="a")
    assert cloud.empty_bucket("full") == 0
    assert cloud.empty_bucket("gone") == 0
    s3.delete_bucket(Bucket="full")


def test_what_is_locked_for_nobody_to_remove_stays_and_is_counted(cloud):
    s3, until = cloud.client("s3"), datetime.now(UTC) + timedelta(days=400)
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    for mode in ("GOVERNANCE", "COMPLIANCE"):
        s3.put_object(
            Bucket="locked", Key=mode, Body=b"1", ObjectLockMode=mode, ObjectLockRetainUntilDate=until
        )
    assert cloud.empty_bucket("locked") == 1
    found = s3.list_object_versions(Bucket="locked")["Versions"]
    assert [one["Key"] for one in found] == ["COMPLIANCE"]


def test_what_was_deleted_from_a_bucket_is_taken_back_by_a_command(cloud, monkeypatch, capsys):
    s3 = cloud.client("s3")
    cloud.ensure_bucket("bodies")
    s3.put_bucket_versioning(Bucket="bodies", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="bodies", Key="a", Body=b"1")
    s3.delete_object(Bucket="bodies", Key="a")
    monkeypatch.setattr(Cloud, "outputs", lambda *_: {"EncryptedBucket": "bodies"})
    assert main(["undelete", "pr1", "encrypted"]) == 0
    assert "1 objects are back" in capsys.readouterr().out
    assert s3.get_object(Bucket="bodies", Key="a")["Body"].read() == b"1"
    for words in (["undelete", "pr1", "bodies"], ["undelete", "pr1"]):
        assert main(words) == 2
        assert "BUCKET must be encrypted" in capsys.readouterr().err
