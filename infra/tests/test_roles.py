"""Who may do what: the one list, and nothing beside it."""

import json

import pytest
import rights
import roles
from config import Config


def statements(stage):
    for policy in stage.of("AWS::IAM::Policy"):
        yield from policy["PolicyDocument"]["Statement"]


def listed(value):
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("stage", ["production", "dev", "staging"])
def test_no_action_and_no_resource_is_everything_where_it_can_be_named(stages, stage):
    found = list(statements(stages[stage]))
    assert found
    for statement in found:
        assert not any("*" in action for action in listed(statement["Action"])), statement
        if "*" in listed(statement["Resource"]):
            services = {action.partition(":")[0] for action in listed(statement["Action"])}
            assert services <= {"xray", "ec2"}, statement


@pytest.mark.parametrize("stage", ["production", "dev"])
def test_every_resource_is_the_stage_s_own(stages, stage):
    for statement in statements(stages[stage]):
        for resource in listed(statement["Resource"]):
            text = json.dumps(resource)
            if text != '"*"' and "Fn::GetAtt" not in text:
                assert f"qkd-{stage}" in text or f"qkdplatform-{stage}" in text, text


def test_the_trust_is_what_zappa_needs(production):
    made = [role for role in production.of("AWS::IAM::Role") if "RoleName" in role]
    assert len(made) == 2
    for role in made:
        trusted = {s["Principal"]["Service"] for s in role["AssumeRolePolicyDocument"]["Statement"]}
        assert trusted == {"lambda.amazonaws.com", "apigateway.amazonaws.com", "events.amazonaws.com"}


def test_the_api_reads_no_stream_walks_no_table_and_receives_dead_letters_alone():
    values = dict.fromkeys(
        ("partition", "region", "account", "prefix", "stage", "root_key", "data_key", "messages_key"), "x"
    )
    told = rights.statements(rights.API, values, vpc=False)
    found = {a for s in told for a in s["Action"]}
    assert not found & {"dynamodb:Scan", "dynamodb:GetRecords"}
    receiving = [
        s["Resource"] for s in told if {"sqs:ReceiveMessage", "sqs:DeleteMessage"} & set(s["Action"])
    ]
    assert str(receiving).count("arn:") == 1, receiving
    assert "dead-letters" in str(receiving)
    assert {"dynamodb:Query", "s3:PutObject", "kms:Decrypt", "sqs:SendMessage"} <= found


def test_a_former_root_key_unwraps_and_wraps_nothing(stages):
    for stage, count in (("production", 2), ("dev", 0)):
        found = [s for s in statements(stages[stage]) if "-before" in json.dumps(s["Resource"])]
        assert [s["Action"] for s in found] == [["kms:Decrypt", "kms:DescribeKey"]] * count


def test_a_given_role_is_used_and_none_is_made(stages):
    stage = stages["pr761"]
    assert stage.of("AWS::IAM::Role") == []
    assert stage.templates["state"]["Outputs"]["ApiRoleArn"]["Value"].endswith(":role/given")


def test_power_users_are_told_what_a_given_role_needs():
    told = json.loads(roles.policies(Config("dev"), "123456789012"))
    assert told.keys() == {"api", "worker"}
    assert "arn:aws:dynamodb:us-east-1:123456789012:table/qkd-dev-*" in json.dumps(told)
    assert "{" not in json.dumps(told).replace('{"', "").replace("[{", "").replace(", {", "")


def test_a_given_role_uses_keys_by_their_aliases_in_a_condition_and_may_call_its_function():
    """AWS: an alias in a policy's resource is the alias itself, not the key behind it."""
    told = json.loads(roles.policies(Config("dev", checkpoint_key=True), "123456789012"))
    for function, aliases in (
        ("api", [["root"], ["data", "messages"]]),
        ("worker", [["root"], ["data", "messages"], ["checkpoints"]]),
    ):
        found = [one for one in told[function]["Statement"] if one["Action"][0].startswith("kms:")]
        assert [one["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"] for one in found] == [
            [f"alias/qkd-dev-{name}" for name in names] for names in aliases
        ]
        assert {resource for one in found for resource in one["Resource"]} == {
            "arn:aws:kms:us-east-1:123456789012:key/*"
        }
        (invoked,) = [one for one in told[function]["Statement"] if "lambda:InvokeFunction" in one["Action"]]
        assert all(":function:qkdplatform-dev" in resource for resource in invoked["Resource"])
