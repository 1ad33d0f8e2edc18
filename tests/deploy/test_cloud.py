"""The calls of the deploy steps: each can be made again, and says what failed."""

import io
import json
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws

from deploy import pack, steps
from deploy.__main__ import main
from deploy.cloud import Cloud, DeployFailed
from deploy.stages import read_config
from deploy.steps import Deployment
from tests import requirement


@pytest.fixture
def cloud():
    with mock_aws():
        yield Cloud("us-east-1")


@pytest.fixture
def deployment(cloud):
    return Deployment(read_config("pr761"), cloud)


class Formation:
    """CloudFormation as far as the steps know it: one stack, whose states are told one after the other."""

    def __init__(self, states, refusal=None):
        self.states, self.refusal, self.calls = list(states), refusal, []

    def describe_stacks(self, **_):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "absent":
            raise error("ValidationError", "Stack with id x does not exist")
        return {"Stacks": [{"StackStatus": state, "Outputs": [{"OutputKey": "A", "OutputValue": "1"}]}]}

    def describe_stack_events(self, **_):
        failed = {
            "ResourceStatus": "CREATE_FAILED",
            "LogicalResourceId": "Q",
            "ResourceStatusReason": "no room",
        }
        return {"StackEvents": [failed, {"ResourceStatus": "CREATE_COMPLETE", "LogicalResourceId": "R"}]}

    def __getattr__(self, name):
        def called(**_):
            self.calls.append(name)
            if self.refusal and name != "delete_stack":
                raise error("ValidationError", self.refusal)

        return called


def error(code, message):
    return ClientError({"Error": {"Code": code, "Message": message}}, "any")


@pytest.fixture
def formation(cloud, monkeypatch, tmp_path):
    """Deploys a template by a CloudFormation whose answers are given; returns what came of it and the calls."""
    monkeypatch.setattr("deploy.cloud.POLL_SECONDS", 0.0)
    cloud.ensure_bucket("packages-for-tests")
    (tmp_path / "x.template.json").write_text("{}")
    real = cloud.client

    def deploy(*states, refusal=None):
        made = Formation(states, refusal)
        monkeypatch.setattr(cloud, "client", lambda name: made if name == "cloudformation" else real(name))
        try:
            return cloud.deploy_stack(
                "x", tmp_path / "x.template.json", bucket="packages-for-tests"
            ), made.calls
        except DeployFailed as failed:
            return str(failed), made.calls

    return deploy


@requirement("G8")
@pytest.mark.parametrize(
    ("states", "refusal", "came", "calls"),
    [
        (["absent", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"], None, "CREATE_COMPLETE", ["create_stack"]),
        (
            ["CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"],
            None,
            "UPDATE_COMPLETE",
            ["update_stack"],
        ),
        (["UPDATE_COMPLETE"], "No updates are to be performed.", "UPDATE_COMPLETE", ["update_stack"]),
        (["CREATE_COMPLETE"], "Template error", "x: Template error", ["update_stack"]),
        (
            ["absent", "ROLLBACK_COMPLETE"],
            None,
            "x is ROLLBACK_COMPLETE: Q: no room",
            ["create_stack"],
        ),
        (
            ["ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_COMPLETE", "CREATE_COMPLETE"],
            None,
            "CREATE_COMPLETE",
            ["delete_stack", "create_stack"],
        ),
    ],
)
def test_a_stack_is_made_updated_left_or_made_again(formation, states, refusal, came, calls):
    assert formation(*states, refusal=refusal) == (came, calls)


@requirement("G8", "E7")
def test_the_bucket_of_packages_is_private_and_made_once(deployment):
    for _ in range(2):
        steps.bucket(deployment)
    s3 = deployment.cloud.client("s3")
    assert deployment.bucket == "qkd-pr761-123456789012-packages"
    blocked = s3.get_public_access_block(Bucket=deployment.bucket)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}


@requirement("G8")
@pytest.mark.parametrize(
    ("python", "endpoint", "packed"),
    [("3.11", "", False), ("3.11", "http://127.0.0.1:1", True), ("3.12", "", True)],
    ids=["on-aws", "embedded", "newer"],
)
def test_what_amazon_linux_would_not_load_is_not_deployed(python, endpoint, packed, deployment, monkeypatch):
    asked = []

    def packing(build):
        asked.append(build)
        raise pack.Unpackable("enough")

    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setattr(pack, "python_version", lambda: python)
    monkeypatch.setattr(pack, "pack", packing)
    with pytest.raises(DeployFailed, match="enough" if packed else r"3\.12 or 3\.13"):
        steps.package(deployment)
    assert bool(asked) is packed


@requirement("G8")
def test_a_package_is_uploaded_once_under_its_hash(deployment, tmp_path):
    steps.bucket(deployment)
    path = tmp_path / "package.zip"
    for content in (b"first", b"second"):
        path.write_bytes(content)
        address = deployment.cloud.put_file(deployment.bucket, "packages/hash.zip", path)
    assert address == f"s3://{deployment.bucket}/packages/hash.zip"
    found = deployment.cloud.client("s3").get_object(Bucket=deployment.bucket, Key="packages/hash.zip")
    assert found["Body"].read() == b"first"


@pytest.fixture
def platform_secret(deployment, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    manager = deployment.cloud.client("secretsmanager")
    manager.create_secret(Name="qkd-pr761/platform", SecretString=json.dumps({"SEED": "x"}))
    return lambda: json.loads(manager.get_secret_value(SecretId="qkd-pr761/platform")["SecretString"])


@requirement("E7", "G8")
def test_secrets_are_made_once_and_stay(deployment, platform_secret, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://first")
    steps.fill_secret(deployment)
    made = platform_secret()
    assert len(made["AUDIT_KEY"]) >= 64
    assert len({made[name] for name in ("AUDIT_KEY", "RECORD_KEY", "METADATA_KEY", "API_KEY_PEPPER")}) == 4
    monkeypatch.delenv("DATABASE_URL")
    steps.fill_secret(deployment)
    assert platform_secret() == made
    monkeypatch.setenv("DATABASE_URL", "postgres://second")
    steps.fill_secret(deployment)
    assert platform_secret() == made | {"DATABASE_URL": "postgres://second"}


@requirement("G8")
def test_without_a_database_it_says_what_is_missing_and_makes_nothing(deployment, platform_secret):
    with pytest.raises(DeployFailed, match="DATABASE_URL"):
        steps.fill_secret(deployment)
    assert platform_secret() == {"SEED": "x"}


@requirement("G8")
def test_without_credentials_it_says_where_they_come_from(monkeypatch, capsys):
    def refuse(_region):
        raise NoCredentialsError

    monkeypatch.setattr("deploy.__main__.Cloud", refuse)
    assert main(["plan", "dev"]) == 2
    assert "aws configure" in capsys.readouterr().err


def answering(monkeypatch, deployment, payload, *, failed=False):
    sent = []

    def invoke(**given):
        sent.append((given["FunctionName"], json.loads(given["Payload"])))
        answer = {"Payload": io.BytesIO(json.dumps(payload).encode())}
        return answer | ({"FunctionError": "Unhandled"} if failed else {})

    monkeypatch.setattr(deployment.cloud, "client", lambda _: SimpleNamespace(invoke=invoke))
    return sent


@requirement("G8")
def test_a_command_runs_on_the_worker_and_its_output_is_shown(deployment, monkeypatch):
    sent = answering(monkeypatch, deployment, {"ok": True, "output": "done\n"})
    assert steps.manage(deployment, "person list") == "done\n"
    assert sent == [("qkdplatform-pr761-worker", {"manage": "person list"})]


@requirement("G8")
@pytest.mark.parametrize(
    ("payload", "failed", "said"),
    [
        ({"ok": False, "output": "There is no person 'x'."}, False, "person: There is no person"),
        ({"errorType": "UnknownEvent", "errorMessage": "only these"}, True, "UnknownEvent: only these"),
    ],
)
def test_a_command_that_fails_says_why(deployment, monkeypatch, payload, failed, said):
    answering(monkeypatch, deployment, payload, failed=failed)
    with pytest.raises(DeployFailed, match=said):
        steps.manage(deployment, "person disable x --reason y")


@requirement("G8")
def test_a_bootstrap_that_was_done_before_is_no_failure(deployment, monkeypatch):
    answering(monkeypatch, deployment, {"ok": False, "output": "The first operator is there. …"})
    steps.bootstrap(deployment)
    answering(
        monkeypatch, deployment, {"ok": False, "output": "qkd-pr761/first-operator did not take the secrets"}
    )
    with pytest.raises(DeployFailed, match="did not take"):
        steps.bootstrap(deployment)


@requirement("G8")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["deploy", "PR_1"], 2, "STAGE must be"),
        (["deploy", "pr761", "nowhere"], 2, "FROM must be one of bucket"),
        (["undeploy", "production"], 2, "is protected from deletion"),
        (["undeploy", "pr761"], 2, "make undeploy STAGE=pr761 YES=pr761"),
    ],
)
def test_what_is_not_possible_is_said_before_anything_is_done(arguments, code, said, capsys, monkeypatch):
    monkeypatch.delenv("YES", raising=False)
    with mock_aws():
        assert main(arguments) == code
    assert said in capsys.readouterr().err
