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
        own = f"arn:{cdk.Aws.PARTITION}:lambda:{config.region}:{values['account']}:function:{function_name}"
        invoke = {"Effect": "Allow", "Action": ["lambda:InvokeFunction"], "Resource": [own, f"{own}:*"]}
        for statement in [*rights.statements(function, values, vpc=vpc), invoke]:
            role.add_to_policy(iam.PolicyStatement.from_json(statement))
        return role


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
    """Write the policies that a given role needs (power-user mode), as JSON documents by function."""
    arn = f"arn:aws:kms:{config.region}:{account}:alias/{config.prefix}-"
    keys = ("root", "data", "messages", *(["checkpoints"] if config.checkpoint_key else []))
    values = names(config, account) | {
        "partition": "aws",
        **{f"{key}_key": f"{arn}{key}" for key in keys},
    }
    vpc = config.vpc or bool(config.vpc_id)
    documents = {
        function: {"Version": "2012-10-17", "Statement": rights.statements(function, values, vpc=vpc)}
        for function in (rights.API, rights.WORKER)
    }
    return json.dumps(documents, indent=2)
