"""Zappa's settings of a stage, and the stage's own at the gateway, as the deploy steps render them."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from apps.common.environment import all_settings
from deploy import zappa
from deploy.gateway import stage_patch
from deploy.removal import refuse_unless_confirmed
from deploy.stages import BadStage, read_config
from deploy.steps import STEPS
from tests import requirement

OUTPUTS = {
    "ApiRoleArn": "arn:aws:iam::1:role/qkd-dev-api",
    "WorkerRoleArn": "arn:aws:iam::1:role/qkd-dev-worker",
    "RootKey": "arn:aws:kms:us-east-1:1:key/x",
    "UploadsBucket": "qkd-dev-1-uploads",
    "EncryptedBucket": "qkd-dev-1-encrypted",
    "DownloadsBucket": "qkd-dev-1-downloads",
    "CheckpointsBucket": "qkd-dev-1-checkpoints",
    "ExportsBucket": "qkd-dev-1-exports",
    "EventBusName": "qkd-dev-events",
    "JobsQueueUrl": "https://sqs.us-east-1.amazonaws.com/1/qkd-dev-jobs",
    "CustodyQueueUrl": "https://sqs.us-east-1.amazonaws.com/1/qkd-dev-custody",
    "AlertTopicArn": "arn:aws:sns:us-east-1:1:qkd-dev-alerts",
    "SecretId": "qkd-dev/platform",
}


def rendered(stage="dev", *, api_id="abc", **more):
    outputs = {**OUTPUTS, **more}
    return zappa.render(read_config(stage), outputs, api_id=api_id, bucket="packages", runtime="python3.13")


@requirement("G1")
@pytest.mark.parametrize("stage", ["dev", "staging", "production", "pr761"])
def test_a_stage_has_a_function_for_the_api_and_one_that_works(stage):
    found = rendered(stage)
    api, worker = found[stage], found[f"{stage}-worker"]
    assert (api["timeout_seconds"], worker["timeout_seconds"]) == (29, 900)
    assert "events" not in api
    assert {e["function"].rpartition(".")[2] for e in worker["events"]} == {"sweep", "refill", "rotate"}
    assert worker["apigateway_enabled"] is False
    assert (api["role_arn"], worker["role_arn"]) == (OUTPUTS["ApiRoleArn"], OUTPUTS["WorkerRoleArn"])
    assert {one["runtime"] for one in found.values()} == {"python3.13"}
    assert not any("extends" in one for one in found.values())


@requirement("E7", "I2")
def test_no_secret_stands_in_the_settings():
    variables = rendered()["dev"]["aws_environment_variables"]
    secret = {setting.name for setting in all_settings() if setting.secret and setting.default is None}
    assert secret <= variables.keys(), "add it to deploy/zappa.py"
    for name in secret | set(zappa.PREVIOUS):
        assert variables[name] == f"secretsmanager:qkd-dev/platform#{name}"


@requirement("G1")
def test_every_variable_is_a_setting_that_the_platform_knows():
    known = {setting.name for setting in all_settings()}
    assert set(rendered()["dev"]["aws_environment_variables"]) <= known


@requirement("G3", "E3")
def test_the_stage_s_own_pool_is_the_one_whose_tokens_are_accepted():
    config = dataclasses.replace(read_config("dev"), auth_method="cognito")
    outputs = {**OUTPUTS, "UserPoolId": "us-east-1_x", "MachinesClientId": "m", "PeopleClientId": "p"}
    found = zappa.variables(config, outputs, api_id="abc")
    assert found["JWT_ISSUER"] == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_x"
    assert found["JWT_CLIENT_IDS"] == "m,p"
    assert "JWT_ISSUER" not in zappa.variables(read_config("dev"), outputs, api_id="abc")


@requirement("G1", "G3")
@pytest.mark.parametrize(("given", "endpoint"), [("", "vpce-made"), ("vpce-given", "vpce-given")])
def test_a_private_api_has_the_policy_without_which_none_is_deployed(given, endpoint, tmp_path):
    private = dataclasses.replace(
        read_config("dev"), endpoint_type="PRIVATE", vpc=True, vpc_endpoint_id=given
    )
    outputs = {**OUTPUTS, "ApiEndpointId": "vpce-made"}
    settings = zappa.render(private, outputs, api_id="abc", bucket="packages", runtime="python3.13")
    zappa.write(settings, tmp_path / "zappa_settings.dev.json")
    written = json.loads((tmp_path / "zappa_settings.dev.json").read_text())
    assert zappa.POLICY not in written["dev-worker"]
    policy = json.loads(Path(written["dev"][zappa.POLICY]).read_text())  # Zappa opens it
    (allowed,) = policy["Statement"]
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceVpce": endpoint}}
    assert zappa.POLICY not in rendered()["dev"]


@requirement("G5")
def test_a_former_root_key_unwraps():
    config = dataclasses.replace(read_config("dev"), previous_root_key_arn="arn:aws:kms:us-east-1:1:key/old")
    found = zappa.variables(config, OUTPUTS, api_id="abc")
    assert found["ROOT_KEY_PREVIOUS"] == "kms:arn:aws:kms:us-east-1:1:key/old"


@requirement("G1", "G8")
@pytest.mark.parametrize(
    ("stage", "mode"), [("dev", "GOVERNANCE"), ("pr761", "GOVERNANCE"), ("production", None)]
)
def test_checkpoints_are_locked_for_nobody_to_remove_unless_the_stage_may_be_removed(stage, mode):
    """None is the setting's default: COMPLIANCE, which would hold up `make undeploy` for as long as it lasts."""
    assert rendered(stage)[stage]["aws_environment_variables"].get("CHECKPOINT_LOCK_MODE") == mode


@requirement("E7")
def test_every_secret_that_has_former_values_has_them_delivered():
    former = {s.name for s in all_settings() if s.name.endswith("_PREVIOUS")} - {"ROOT_KEY_PREVIOUS"}
    assert set(zappa.PREVIOUS) == former


@requirement("G1")
def test_without_a_domain_the_address_is_the_gateway_s_with_the_stage():
    variables = rendered()["dev"]["aws_environment_variables"]
    assert variables["BASE_URL"] == "https://abc.execute-api.us-east-1.amazonaws.com/dev"
    assert variables["ALLOWED_HOSTS"] == "abc.execute-api.us-east-1.amazonaws.com"


@requirement("G1", "G3")
def test_functions_stand_in_the_subnets_of_the_network():
    found = rendered("production", SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1")
    for one in found.values():
        assert one["vpc_config"] == {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert "vpc_config" not in rendered("dev")["dev"]


@requirement("G1", "I2")
def test_the_stage_is_limited_traced_and_logged_without_what_is_secret():
    operations = stage_patch(read_config("dev"), "arn:aws:logs:us-east-1:1:log-group:x")
    by_path = {operation["path"]: operation["value"] for operation in operations}
    assert by_path["/*/*/throttling/rateLimit"] == "1000"
    assert by_path["/tracingEnabled"] == "true"
    assert by_path["/*/*/logging/dataTrace"] == "false"
    logged = json.loads(by_path["/accessLogSettings/format"])
    assert not any("header" in value or "body" in value or "query" in value for value in logged.values())


@requirement("G1")
def test_botocore_knows_the_call_that_sets_the_stage():
    """Asserted against the service's model, as no AWS is called."""
    service: Any = botocore.session.get_session().get_service_model("apigateway")
    operations = service.operation_model("UpdateStage").input_shape.members["patchOperations"].member
    for operation in stage_patch(read_config("dev"), "arn"):
        assert operation.keys() <= operations.members.keys()
        assert operation["op"] in operations.members["op"].enum


@requirement("G1")
def test_steps_are_in_the_order_in_which_they_need_each_other():
    names = [name for name, _ in STEPS]
    for first, then in (
        ("bucket", "state"),
        ("state", "secrets"),
        ("secrets", "functions"),
        ("package", "functions"),
        ("functions", "edge"),
        ("functions", "migrate"),
        ("migrate", "bootstrap"),
        ("bootstrap", "smoke"),
        ("refill", "smoke"),
    ):
        assert names.index(first) < names.index(then)


@requirement("G1")
@pytest.mark.parametrize(
    ("stage", "typed"), [("production", "production"), ("staging", "staging"), ("pr761", "pr76")]
)
def test_data_goes_only_where_it_may_and_when_the_stage_s_name_is_typed(stage, typed):
    with pytest.raises(BadStage):
        refuse_unless_confirmed(read_config(stage), typed)


@requirement("G1")
def test_a_throwaway_stage_goes_when_its_name_is_typed():
    refuse_unless_confirmed(read_config("pr761"), "pr761")


@requirement("G1")
def test_a_name_that_aws_would_not_take_is_refused_before_anything_is_done():
    with pytest.raises(BadStage, match="lower-case"):
        read_config("PR_761")
