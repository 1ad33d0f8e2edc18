"""API Gateway as a fresh account has it: without a role to write logs by, and with answers that wait for a deployment."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError
from moto import mock_aws

from deploy import gateway, steps
from deploy.cloud import Cloud, DeployFailed
from deploy.stages import read_config
from deploy.steps import Deployment
from tests import requirement

pytestmark = requirement("G8")
ROLE = "qkd-api-gateway-logs"
POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}'


class Account:
    """API Gateway's setting of an account (moto's needs a library that is not here)."""

    def __init__(self):
        self.told: dict[str, str] = {}

    def get_account(self):
        return self.told

    def update_account(self, **words):
        (one,) = words["patchOperations"]
        assert (one["op"], one["path"]) == ("replace", "/cloudwatchRoleArn")
        self.told["cloudwatchRoleArn"] = one["value"]


@pytest.fixture
def cloud(monkeypatch):
    with mock_aws():
        made = Cloud("us-east-1")
        # AWS's own policies are not there, and take a second to load
        policy = made.client("iam").create_policy(PolicyName="logs", PolicyDocument=POLICY)["Policy"]
        monkeypatch.setattr(gateway, "LOGS_POLICY", policy["Arn"])
        account, real = Account(), made.client
        monkeypatch.setattr(made, "client", lambda name: account if name == "apigateway" else real(name))
        yield made


@pytest.fixture
def config():
    return read_config("pr761")


def role_of(cloud):
    return cloud.client("apigateway").get_account().get("cloudwatchRoleArn")


def test_a_fresh_account_lets_its_gateway_write_logs(cloud, config):
    for _ in range(2):
        gateway.let_it_log(cloud, config)
    assert role_of(cloud).endswith(f":role/{ROLE}")
    iam = cloud.client("iam")
    attached = iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]
    assert [one["PolicyArn"] for one in attached] == [gateway.LOGS_POLICY]
    (trusted,) = iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "apigateway.amazonaws.com"}


def test_a_role_that_the_account_has_stays(cloud, config):
    own = "arn:aws:iam::123456789012:role/own"
    told = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": own}]
    cloud.client("apigateway").update_account(patchOperations=told)
    gateway.let_it_log(cloud, config)
    assert role_of(cloud) == own


def test_a_role_that_is_there_already_is_taken(cloud, config):
    cloud.client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument="{}")
    gateway.let_it_log(cloud, config)
    assert role_of(cloud).endswith(ROLE)


def test_who_may_make_no_role_is_told_what_to_have_done(cloud, config):
    given = dataclasses.replace(config, role_arn="arn:aws:iam::1:role/given")
    with pytest.raises(DeployFailed, match="logs = false"):
        gateway.let_it_log(cloud, given)
    assert role_of(cloud) is None


@pytest.mark.parametrize(
    ("refused", "code", "fails"),
    [
        (3, "BadRequestException", False),
        (gateway.TRIES, "BadRequestException", True),
        (1, "AccessDeniedException", True),
    ],
)
def test_a_role_that_is_not_known_yet_is_told_again(refused, code, fails, monkeypatch):
    monkeypatch.setattr(gateway, "WAIT_SECONDS", 0.0)
    told = []

    def update_account(**words):
        told.append(words["patchOperations"][0]["value"])
        if len(told) <= refused:
            raise ClientError({"Error": {"Code": code, "Message": "not yet"}}, "UpdateAccount")

    made = SimpleNamespace(update_account=update_account)
    if fails:
        with pytest.raises(ClientError):
            gateway._set_role(made, "arn")
        assert len(told) == refused
    else:
        gateway._set_role(made, "arn")
        assert len(told) == refused + 1


def test_what_the_stacks_changed_of_the_api_is_deployed_before_the_stage_is_set(config, monkeypatch):
    """Zappa's deployment is of before: the gateway's own answers would be AWS's until the next one."""
    calls: list[str] = []
    made: Any = Deployment(config, SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setattr(Deployment, "api_id", "abc")
    monkeypatch.setattr(steps, "templates", lambda _: calls.append("templates"))
    monkeypatch.setattr(steps, "_deploy", lambda _, name: calls.append(name))
    monkeypatch.setattr(gateway, "let_it_log", lambda *_: calls.append("role"))
    monkeypatch.setattr(gateway, "publish", lambda _cloud, _config, api: calls.append(f"publish {api}"))
    monkeypatch.setattr(gateway, "patch_stage", lambda *_: calls.append("stage"))
    steps.edge(made)
    assert calls.index("role") < calls.index("edge") < calls.index("publish abc") < calls.index("stage")


@pytest.mark.parametrize(
    ("domain", "said"),
    [("qkd.example.com", "Point qkd.example.com to target.example"), ("", "does not answer")],
)
def test_an_address_that_does_not_answer_is_named_with_what_to_do(domain, said, config, monkeypatch):
    told = dataclasses.replace(config, domain_name=domain, certificate_arn="arn:x")
    outputs = {"DomainTarget": "target.example"} if domain else {}
    deployment: Any = Deployment(told, SimpleNamespace(outputs=lambda _: outputs))  # type: ignore[arg-type]
    monkeypatch.setattr(steps, "base_url", lambda _: "https://qkd.example.com")

    def get(*_, **__):
        raise requests.ConnectionError("no such host")

    monkeypatch.setattr(requests, "get", get)
    with pytest.raises(DeployFailed, match=said):
        steps.smoke(deployment)


def test_a_private_stage_is_not_asked_from_outside(config, monkeypatch):
    private = dataclasses.replace(config, endpoint_type="PRIVATE", vpc=True)
    said: list[str] = []
    deployment = Deployment(private, SimpleNamespace(), said=said.append)  # type: ignore[arg-type]
    monkeypatch.setattr(steps, "base_url", lambda _: "https://abc")
    steps.smoke(deployment)
    assert "answers in its network only" in said[0]
