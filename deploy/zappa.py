"""Zappa's settings of a stage, rendered from its configuration and what its stacks put out.

Every value that is secret is a reference to Secrets Manager: the settings, and the function's variables, hold none.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.stack import uv

SOURCE = uv.ROOT / "zappa_settings.json"
SECRETS = ("DJANGO_SECRET_KEY", "API_KEY_PEPPER", "AUDIT_KEY", "RECORD_KEY", "METADATA_KEY", "DATABASE_URL")
POLICY = "apigateway_policy"
PREVIOUS = tuple(f"{name}_PREVIOUS" for name in SECRETS if name != "DATABASE_URL")


def variables(config: Any, outputs: Mapping[str, str], *, api_id: str) -> dict[str, str]:
    """Return the environment of both functions.

    Args:
        config: of the stage.
        outputs: of the state stack.
        api_id: of Zappa's API; empty before it is there.
    """
    own = f"{api_id or 'unknown'}.execute-api.{config.region}.amazonaws.com"
    base = f"https://{config.domain_name}" if config.domain_name else f"https://{own}/{config.stage}"
    reference = f"secretsmanager:{outputs['SecretId']}#"
    return {
        "QKD_STAGE": config.stage,
        "BASE_URL": base,
        "ALLOWED_HOSTS": ",".join(filter(None, [config.domain_name, own])),
        "TABLE_PREFIX": config.prefix,
        "KME_DOMAIN": config.kme_domain_name,
        "ROOT_KEY": f"kms:{outputs['RootKey']}",
        **({"ROOT_KEY_PREVIOUS": f"kms:{old}"} if (old := config.previous_root_key_arn) else {}),
        "UPLOADS_BUCKET": outputs["UploadsBucket"],
        "ENCRYPTED_BUCKET": outputs["EncryptedBucket"],
        "DOWNLOADS_BUCKET": outputs["DownloadsBucket"],
        "CHECKPOINTS_BUCKET": outputs["CheckpointsBucket"],
        "EXPORTS_BUCKET": outputs["ExportsBucket"],
        "CHECKPOINT_KMS_KEY": outputs.get("CheckpointsKey", ""),
        "JOBS_QUEUE": f"{config.prefix}-jobs",
        "JOBS_QUEUE_URL": outputs["JobsQueueUrl"],
        "CUSTODY_QUEUE": f"{config.prefix}-custody",
        "CUSTODY_QUEUE_URL": outputs["CustodyQueueUrl"],
        "UPLOAD_EVENTS_QUEUE": f"{config.prefix}-upload-events",
        "DEAD_LETTER_QUEUE": f"{config.prefix}-dead-letters",
        "ALERT_TOPIC_ARN": outputs["AlertTopicArn"],
        "EVENT_BUS": outputs["EventBusName"],
        "CORS_ALLOWED_ORIGINS": ",".join(config.cors_origins),
        **({"ANALYTICS_EXPORT": "true"} if config.analytics else {}),
        # What nobody may remove would hold up the removal of the stage for as long as it is locked
        **({"CHECKPOINT_LOCK_MODE": "GOVERNANCE"} if config.removable else {}),
        **_tokens(config, outputs),
        **{name: reference + name for name in (*SECRETS, *PREVIOUS)},
        **config.variables,
    }


def _tokens(config: Any, outputs: Mapping[str, str]) -> dict[str, str]:
    """Accept the tokens of the stage's pool, made or given; the clients of a given one are told as variables."""
    pool = config.user_pool_id or outputs.get("UserPoolId", "")
    if config.auth_method != "cognito" or not pool:
        return {}
    clients = [outputs[name] for name in ("MachinesClientId", "PeopleClientId") if name in outputs]
    issuer = f"https://cognito-idp.{config.region}.amazonaws.com/{pool}"
    return {"JWT_ISSUER": issuer, "JWT_CLIENT_IDS": ",".join(clients)}


def render(
    config: Any, outputs: Mapping[str, str], *, api_id: str, bucket: str, runtime: str
) -> dict[str, Any]:
    """Return the settings of both functions of a stage, without Zappa's ``extends``."""
    stages = json.loads(SOURCE.read_text(encoding="utf-8"))
    common = {
        "aws_region": config.region,
        "runtime": runtime,
        "s3_bucket": bucket,
        "aws_environment_variables": variables(config, outputs, api_id=api_id),
        "tags": {"project": config.project, "stage": config.stage, **config.tags},
        **_network(config, outputs),
    }
    api = stages["base"] | common | {
        "memory_size": config.memory_mb,
        "timeout_seconds": config.api_timeout_seconds,
        "role_arn": outputs["ApiRoleArn"],
        "endpoint_configuration": [config.endpoint_type],
    }  # fmt: skip
    if config.endpoint_type == "PRIVATE":  # API Gateway deploys none without a policy
        api[POLICY] = private_policy(config.vpc_endpoint_id or outputs["ApiEndpointId"])
    if config.provisioned_concurrency:
        api["lambda_concurrency"] = None
        api["provisioned_concurrency"] = config.provisioned_concurrency
    worker = stages["base"] | stages["worker"] | common | {
        "memory_size": config.worker_memory_mb,
        "timeout_seconds": config.worker_timeout_seconds,
        "role_arn": outputs["WorkerRoleArn"],
    }  # fmt: skip
    worker.pop("extends", None)
    return {config.stage: api, f"{config.stage}-worker": worker}


def private_policy(endpoint: str) -> dict[str, Any]:
    """Return the policy of a private API: whoever comes by an endpoint may ask, and the API itself looks at the key."""
    condition = {"StringEquals": {"aws:SourceVpce": endpoint}}
    allowed = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "execute-api:Invoke",
        "Resource": "execute-api:/*",
    }
    return {"Version": "2012-10-17", "Statement": [allowed | {"Condition": condition}]}


def _network(config: Any, outputs: Mapping[str, str]) -> dict[str, Any]:
    subnets = list(config.subnet_ids) or [s for s in outputs.get("SubnetIds", "").split(",") if s]
    groups = list(config.security_group_ids) or [
        g for g in outputs.get("SecurityGroupIds", "").split(",") if g
    ]
    return {"vpc_config": {"SubnetIds": subnets, "SecurityGroupIds": groups}} if subnets else {}


def write(settings: Mapping[str, Any], path: Path) -> None:
    """Put the settings where Zappa is told to read them; a policy, into a file beside them, as it reads one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, one in settings.items():
        written[name] = dict(one)
        if policy := one.get(POLICY):
            place = path.with_suffix(".policy.json")
            place.write_text(json.dumps(policy, indent=2) + "\n", encoding="utf-8")
            written[name][POLICY] = str(place)
    path.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
