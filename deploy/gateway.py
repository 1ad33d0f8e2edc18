"""API Gateway's own settings: the account's, once, and those of the stage, which Zappa resets at every update."""

import json
import time
from typing import Any

from botocore.exceptions import ClientError

from deploy.cloud import Cloud, DeployFailed

LOGS_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
TRIES, WAIT_SECONDS = 12, 5.0  # until every service knows a role that was made just now


def let_it_log(cloud: Cloud, config: Any) -> None:
    """Give API Gateway a role to write logs by, unless it has one: without, it takes no stage that logs.

    It is one setting of the account in a region, for all its APIs: so it is in no stage's stack, and stays.

    Raises:
        DeployFailed: there is none, and none may be made.
    """
    gateway = cloud.client("apigateway")
    if gateway.get_account().get("cloudwatchRoleArn"):
        return
    if config.role_arn:
        raise DeployFailed(
            f"API Gateway has no role to write logs by in {config.region}. Have an administrator set one with the policy "
            f"{LOGS_POLICY} (API Gateway, Settings), or set logs = false."
        )
    _set_role(gateway, _logs_role(cloud.client("iam"), f"{config.project}-api-gateway-logs"))


def _logs_role(iam: Any, name: str) -> str:
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    try:
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityAlreadyExists":
            raise
        role = iam.get_role(RoleName=name)["Role"]
    iam.attach_role_policy(RoleName=name, PolicyArn=LOGS_POLICY)
    return str(role["Arn"])


def _set_role(gateway: Any, arn: str) -> None:
    told = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}]
    for attempt in range(1, TRIES + 1):
        try:
            gateway.update_account(patchOperations=told)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BadRequestException" or attempt == TRIES:
                raise
            time.sleep(WAIT_SECONDS)
        else:
            return


def publish(cloud: Cloud, config: Any, api_id: str) -> None:
    """Have the stage answer by what the stacks changed of the API: the gateway's own answers are a part of a deployment."""
    cloud.client("apigateway").create_deployment(restApiId=api_id, stageName=config.stage)


def log_group(config: Any) -> str:
    """Where the API's stage logs who asked for what."""
    return f"/aws/apigateway/{config.prefix}"


def patch_stage(cloud: Cloud, config: Any, api_id: str) -> None:
    """Limit the stage, and have it log, measure and trace."""
    group, logs = log_group(config), cloud.client("logs")
    try:
        logs.create_log_group(logGroupName=group)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
    logs.put_retention_policy(logGroupName=group, retentionInDays=config.log_retention_days)
    arn = f"arn:aws:logs:{config.region}:{cloud.account}:log-group:{group}"
    cloud.client("apigateway").update_stage(
        restApiId=api_id, stageName=config.stage, patchOperations=stage_patch(config, arn)
    )


def stage_patch(config: Any, log_group_arn: str) -> list[dict[str, str]]:
    """Return the operations that set a stage's own settings. No access log holds a header, a query or a body."""
    fields = ("requestId", "identity.sourceIp", "httpMethod", "resourcePath", "status", "responseLatency")
    line = json.dumps({name.rpartition(".")[2]: f"$context.{name}" for name in fields})
    wanted = {
        "/*/*/throttling/rateLimit": str(config.throttle_rate),
        "/*/*/throttling/burstLimit": str(config.throttle_burst),
        "/*/*/metrics/enabled": "true",
        "/*/*/logging/dataTrace": "false",
        "/tracingEnabled": "true",
    }
    if config.logs:
        wanted |= {"/accessLogSettings/destinationArn": log_group_arn, "/accessLogSettings/format": line}
    return [{"op": "replace", "path": path, "value": value} for path, value in wanted.items()]
