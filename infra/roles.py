"""The roles of the two functions, from the one list of rights."""

import json

import aws_cdk as cdk
import rights
from aws_cdk import aws_iam as iam
from config import Config
from constructs import Construct
from keys import Keys

# Zappa 0.63 makes the schedules' rules and the API's integrations with the function's own role
TRUSTED = ("lambda.amazonaws.com", "apigateway.amazonaws.com", "events.amazonaws.com")


class Roles(Construct):
    """One role for each function; only made where none is given."""

    def __init__(self, scope: Construct, config: Config, keys: Keys) -> None:
        super().__init__(scope, "Roles")
        values = {
            **names(config, cdk.Stack.of(self).account),
            "root_key": keys.root.key_arn,
            "data_key": keys.data.key_arn,
            "messages_key": keys.messages.key_arn,
            **({"checkpoints_key": keys.checkpoints.key_arn} if keys.checkpoints else {}),
            **_previous(config),
        }
        self.api = self._role(config, rights.API, config.api_function, values)
        self.worker = self._role(config, rights.WORKER, config.worker_function, values)

    def _role(self, config: Config, function: str, function_name: str, values: dict[str, str]) -> iam.Role:
        role = iam.Role(
            self,
            function.title(),
            role_name=f"{config.prefix}-{function}",
            assumed_by=iam.CompositePrincipal(*(iam.ServicePrincipal(service) for service in TRUSTED)),
            description=f"{config.prefix}: the {function} function",
        )
        vpc = config.vpc or bool(config.vpc_id)
        for statement in [*rights.statements(function, values, vpc=vpc), _invoke(function_name, values)]:
            role.add_to_policy(iam.PolicyStatement.from_json(statement))
        return role


def _previous(config: Config) -> dict[str, str]:
    return {"previous_root_key": config.previous_root_key_arn} if config.previous_root_key_arn else {}


def _invoke(function_name: str, values: dict[str, str]) -> dict[str, object]:
    own = "arn:{partition}:lambda:{region}:{account}:function:".format(**values) + function_name
    return {"Effect": "Allow", "Action": ["lambda:InvokeFunction"], "Resource": [own, f"{own}:*"]}


def names(config: Config, account: str) -> dict[str, str]:
    """What ARNs are filled in with."""
    return {
        "partition": cdk.Aws.PARTITION,
        "region": config.region,
        "account": account,
        "prefix": config.prefix,
        "stage": config.stage,
    }


def policies(config: Config, account: str) -> str:
    """Write the policies that a given role needs (power-user mode), as JSON documents by function.

    The ids of the keys are not known before they are made, and a policy takes no alias for a key: so they are
    told by a condition.
    """
    keys = ("root", "data", "messages", *(["checkpoints"] if config.checkpoint_key else []))
    values = names(config, account) | {
        "partition": "aws",
        **{f"{key}_key": f"alias/{config.prefix}-{key}" for key in keys},
        **_previous(config),
    }
    vpc, any_key = config.vpc or bool(config.vpc_id), f"arn:aws:kms:{config.region}:{account}:key/*"
    documents = {
        function: {
            "Version": "2012-10-17",
            "Statement": [
                *(_by_alias(one, any_key) for one in rights.statements(function, values, vpc=vpc)),
                _invoke(name, values),
            ],
        }
        for function, name in (
            (rights.API, config.api_function),
            (rights.WORKER, config.worker_function),
        )
    }
    return json.dumps(documents, indent=2)


def _by_alias(statement: dict[str, object], any_key: str) -> dict[str, object]:
    aliases = statement["Resource"]
    if not str(aliases[0]).startswith("alias/"):  # type: ignore[index]
        return statement
    condition = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": aliases}}
    return statement | {"Resource": [any_key], "Condition": condition}
