"""Taking a stage away again: its functions and stacks, and its data where the configuration lets it."""

import os
import subprocess
import sys
from pathlib import Path

from botocore.exceptions import ClientError

from apps.stack import uv
from deploy import gateway, zappa
from deploy.cloud import DeployFailed
from deploy.stages import BadStage
from deploy.steps import Deployment, exists

LAST = "AccessLogsBucket"  # what is read and removed in the others is logged there


def undeploy(deployment: Deployment, _words: list[str]) -> int:
    """Remove a stage, and its data where the configuration lets it.

    Raises:
        BadStage: it is protected, or its name was not typed; nothing was changed.
        DeployFailed: something was not removed.
    """
    config, cloud, state = deployment.config, deployment.cloud, deployment.stack("state")
    refuse_unless_confirmed(config, os.environ.get("YES", ""))
    if cloud.is_protected(state):
        raise BadStage(
            f"{state} was deployed with deletion_protection = true. Deploy it first: make deploy STAGE={config.stage}"
        )
    remove_api(deployment)
    for name in ("governance", "analytics", "observability", "edge"):
        cloud.remove_stack(deployment.stack(name))
    outputs = cloud.outputs(state)
    names = sorted((name for name in outputs if name.endswith("Bucket")), key=LAST.__eq__)
    left = {outputs[name]: cloud.empty_bucket(outputs[name]) for name in names}
    kept = {bucket: count for bucket, count in left.items() if count}
    cloud.remove_stack(state, keep=kept)
    cloud.remove_stack(deployment.stack("network"))
    for bucket, count in kept.items():
        print(f"The bucket {bucket} stays: S3 keeps {count:,} objects in it, by their lock.")
    print(f"Stage {config.stage} is removed. The bucket {deployment.bucket} keeps its packages.")
    return 0


def refuse_unless_confirmed(config: object, confirmed: str) -> None:
    """Let data go only where deletion protection is off, and the stage's name was typed.

    Raises:
        BadStage: not so.
    """
    stage, protected = getattr(config, "stage", ""), getattr(config, "deletion_protection", True)
    if protected:
        raise BadStage(
            f"{stage} is protected from deletion. Set deletion_protection = false in infra/stages.toml and deploy it first."
        )
    if confirmed != stage:
        raise BadStage(
            f"This removes the data of {stage}, too. Say so: make undeploy STAGE={stage} YES={stage}"
        )


def remove_api(deployment: Deployment) -> None:
    """Have Zappa remove the functions, their schedules and the API, whoever deployed them from wherever.

    Raises:
        DeployFailed: one of them is still there.
    """
    config, outputs = deployment.config, deployment.outputs
    functions = {f"{config.stage}-worker": config.worker_function, config.stage: config.api_function}
    if outputs:  # the settings of a deployment from another folder are not in this one
        runtime = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        settings = zappa.render(
            config, outputs, api_id=deployment.api_id, bucket=deployment.bucket, runtime=runtime
        )
        zappa.write(settings, deployment.settings_path)
    for name, function in functions.items():
        if exists(deployment, function) or (name == config.stage and deployment.api_id):
            _zappa("undeploy", name, "--yes", "--settings_file", str(deployment.settings_path))
    left = [function for function in functions.values() if exists(deployment, function)]
    left += [f"the API {deployment.api_id}"] if deployment.api_id else []
    if left:
        raise DeployFailed(f"Zappa did not remove {', '.join(left)}: see above.")
    try:
        deployment.cloud.client("logs").delete_log_group(logGroupName=gateway.log_group(config))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def _zappa(*words: str) -> None:
    """What it did is looked at afterwards: it fails, too, where a part is gone already."""
    subprocess.run([str(Path(sys.executable).parent / "zappa"), *words], cwd=uv.ROOT, check=False)
