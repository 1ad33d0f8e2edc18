"""The steps of a deployment, in their order. Each can be run again, and what is done already stays as it is."""

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from botocore.exceptions import ClientError

from apps.stack import uv
from deploy import gateway, pack, zappa
from deploy.cloud import Cloud, DeployFailed

BUILD = uv.ROOT / "build"
SECRET_BYTES = 48
SMOKE_SECONDS = 35


@dataclass
class Deployment:
    """One stage on its way to the cloud."""

    config: Any
    cloud: Cloud
    said: Callable[[str], None] = print
    adapt: Callable[[dict[str, Any]], dict[str, Any]] = lambda template: template
    package: dict[str, Any] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        """The bucket of packages and templates; not of a stack, as stacks are made from it."""
        return f"{self.config.prefix}-{self.cloud.account}-packages"

    def stack(self, name: str) -> str:
        """Return a stack's full name."""
        return f"{self.config.prefix}-{name}"

    @property
    def settings_path(self) -> Path:
        """Where Zappa reads the stage's settings."""
        return BUILD / f"zappa_settings.{self.config.stage}.json"

    @property
    def outputs(self) -> dict[str, str]:
        """What the stacks put out that the functions stand on; nothing where there are none."""
        cloud = self.cloud
        return cloud.outputs(self.stack("network")) | cloud.outputs(self.stack("state"))

    @property
    def api_id(self) -> str:
        """The id of Zappa's API; empty where there is none."""
        pages = self.cloud.client("apigateway").get_paginator("get_rest_apis").paginate()
        found = [
            api["id"] for page in pages for api in page["items"] if api["name"] == self.config.api_function
        ]
        return str(found[0]) if found else ""


def templates(deployment: Deployment) -> None:
    """Write the templates, with those around the API once it is there."""
    _program([sys.executable, "-m", "deploy.tables"], pack.SETTINGS)
    python = uv.ROOT / ".venv-infra" / "bin" / "python"
    command = [str(python), "app.py", deployment.config.stage, deployment.api_id]
    _program(
        [word for word in command if word],
        {"AWS_ACCOUNT_ID": deployment.cloud.account},
        cwd=uv.ROOT / "infra",
    )


def bucket(deployment: Deployment) -> None:
    """Make the bucket of templates and packages."""
    deployment.cloud.ensure_bucket(deployment.bucket)


def state(deployment: Deployment) -> None:
    """Make or update what has state, and the network where there is one."""
    for name in ("network", "state"):
        _deploy(deployment, name)
    deployment.cloud.protect(deployment.stack("state"), on=deployment.config.deletion_protection)


def fill_secret(deployment: Deployment) -> None:
    """Make the platform's secrets where they are missing; those that are there stay."""
    manager, name = deployment.cloud.client("secretsmanager"), f"{deployment.config.prefix}/platform"
    found = json.loads(manager.get_secret_value(SecretId=name)["SecretString"])
    wanted = dict(found)
    database = os.environ.get("DATABASE_URL", "")
    for key in zappa.SECRETS:
        if key == "DATABASE_URL":
            if not database and not found.get(key):
                raise DeployFailed(
                    "The stage has no database yet: run it with DATABASE_URL=postgres://… once. See docs/deployment.md."
                )
            wanted[key] = database or found[key]
        else:
            wanted.setdefault(key, secrets.token_urlsafe(SECRET_BYTES))
    for key in zappa.PREVIOUS:
        wanted.setdefault(key, "")
    if wanted != found:
        manager.put_secret_value(SecretId=name, SecretString=json.dumps(wanted))


def package(deployment: Deployment) -> None:
    """Pack, and upload what is new.

    Raises:
        DeployFailed: it cannot be packed, or AWS would not run it.
    """
    try:
        if pack.python_version() == pack.TOO_OLD_ON_AWS and not os.environ.get("AWS_ENDPOINT_URL"):
            raise DeployFailed(
                f"Lambda runs Python {pack.TOO_OLD_ON_AWS} on Amazon Linux 2, whose glibc does not load what is packed. "
                "Deploy with 3.12 or 3.13: rm -r .venv; make install PYTHON=python3.13"
            )
        deployment.package = pack.pack(BUILD)
    except pack.Unpackable as error:
        raise DeployFailed(str(error)) from None
    deployment.package["address"] = deployment.cloud.put_file(
        deployment.bucket, f"packages/{deployment.package['sha256']}.zip", BUILD / "package.zip"
    )


def functions(deployment: Deployment) -> None:
    """Deploy or update both functions and the API by Zappa; again where the API's address was not known before."""
    before = deployment.api_id
    _zappa(deployment, before)
    if deployment.api_id != before:
        _zappa(deployment, deployment.api_id)


def take_earlier(deployment: Deployment, count: int) -> None:
    """Take the package that the API's function ran before the one of now, by so many packages.

    Its zip is still in the bucket, under its hash, which Lambda knows of each version. Not by Zappa's own rollback: it
    sends the zip itself, and Lambda takes 50 MB of one only from S3.

    Raises:
        DeployFailed: there is none.
    """
    functions, name = deployment.cloud.client("lambda"), deployment.config.api_function
    pages = functions.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    versions = {one["Version"]: one for page in pages for one in page["Versions"]}
    now = functions.get_function_configuration(FunctionName=name)["CodeSha256"]
    numbered = sorted((int(number) for number in versions if number.isdigit()), reverse=True)
    earlier = dict.fromkeys(versions[str(number)]["CodeSha256"] for number in numbered)
    earlier.pop(now, None)
    if not 1 <= count <= len(earlier):
        raise DeployFailed(f"{name} has {len(earlier)} earlier packages; {count} was asked for.")
    digest = list(earlier)[count - 1]
    (runtime,) = {one["Runtime"] for one in versions.values() if one["CodeSha256"] == digest}
    key = f"packages/{base64.b64decode(digest).hex()}.zip"
    if not deployment.cloud.has_file(deployment.bucket, key):
        raise DeployFailed(f"s3://{deployment.bucket}/{key} is not there any more.")
    deployment.package = {"address": f"s3://{deployment.bucket}/{key}", "runtime": runtime}


def edge(deployment: Deployment) -> None:
    """Make or update what stands around the functions; then the stage's own settings, which Zappa resets."""
    config, cloud = deployment.config, deployment.cloud
    templates(deployment)
    if config.logs or config.kme_domain_name:
        gateway.let_it_log(cloud, config)
    for name in ("edge", "observability", "analytics", "governance"):
        _deploy(deployment, name)
    gateway.publish(cloud, config, deployment.api_id)
    patch_stage(deployment)


def patch_stage(deployment: Deployment) -> None:
    """Limit the stage, and have it log, measure and trace."""
    gateway.patch_stage(deployment.cloud, deployment.config, deployment.api_id)


def migrate(deployment: Deployment) -> None:
    """Bring the relational database up to date."""
    manage(deployment, "migrate")


def bootstrap(deployment: Deployment) -> None:
    """Make the first person and API key, unless they are there; their secrets go to Secrets Manager."""
    name = f"{deployment.config.prefix}/first-operator"
    answer = _run(deployment, f"bootstrap --into {name}")
    if not answer["ok"] and "is there" not in str(answer["output"]):
        raise DeployFailed(f"bootstrap: {answer['output']}")
    deployment.said(f"  Sign-in and API key: aws secretsmanager get-secret-value --secret-id {name}")


def refill(deployment: Deployment) -> None:
    """Fill the pool and the stock: a stage without answers 503 to whoever encrypts."""
    manage(deployment, "run_schedule refill")


def smoke(deployment: Deployment) -> None:
    """Ask the API for its health, from outside.

    Raises:
        DeployFailed: it does not answer, or not well.
    """
    url = base_url(deployment)
    if deployment.config.endpoint_type == "PRIVATE":
        deployment.said(f"  {url} answers in its network only: ask for /api/v1/health there.")
        return
    try:
        answer = requests.get(f"{url}/api/v1/health", timeout=SMOKE_SECONDS)
    except requests.RequestException as error:
        target = deployment.cloud.outputs(deployment.stack("edge")).get("DomainTarget")
        hint = f" Point {deployment.config.domain_name} to {target} by DNS." if target else ""
        raise DeployFailed(f"{url} does not answer: {error}.{hint}") from None
    if answer.status_code != 200:
        raise DeployFailed(f"{url} answers {answer.status_code}.")
    deployment.said(f"  {url}/admin/ and {url}/api/docs")


def base_url(deployment: Deployment) -> str:
    """Return where the stage answers."""
    found = zappa.variables(
        deployment.config, deployment.cloud.outputs(deployment.stack("state")), api_id=deployment.api_id
    )
    return found["BASE_URL"]


def manage(deployment: Deployment, command: str) -> str:
    """Run a management command on the worker; return what it wrote.

    Raises:
        DeployFailed: it failed, with what it wrote.
    """
    answer = _run(deployment, command)
    if not answer["ok"]:
        raise DeployFailed(f"{command.split(maxsplit=1)[0]}: {answer['output']}")
    return str(answer["output"])


def _run(deployment: Deployment, command: str) -> Any:
    return deployment.cloud.invoke(deployment.config.worker_function, {"manage": command})


def _deploy(deployment: Deployment, name: str) -> None:
    template = BUILD / f"cdk.{deployment.config.stage}" / f"{deployment.stack(name)}.template.json"
    if template.exists():
        template.write_text(json.dumps(deployment.adapt(json.loads(template.read_text()))))
        done = deployment.cloud.deploy_stack(deployment.stack(name), template, bucket=deployment.bucket)
        deployment.said(f"  {deployment.stack(name)}: {done}")


def _zappa(deployment: Deployment, api_id: str) -> None:
    settings = zappa.render(
        deployment.config,
        deployment.outputs,
        api_id=api_id,
        bucket=deployment.bucket,
        runtime=deployment.package["runtime"],
    )
    zappa.write(settings, deployment.settings_path)
    for name in settings:
        verb = "update" if exists(deployment, f"qkdplatform-{name}") else "deploy"
        words = [
            verb,
            name,
            "--settings_file",
            str(deployment.settings_path),
            "--zip",
            deployment.package["address"],
        ]
        _program([str(Path(sys.executable).parent / "zappa"), *words], {})


def exists(deployment: Deployment, function: str) -> bool:
    """Return whether a function is there."""
    try:
        deployment.cloud.client("lambda").get_function(FunctionName=function)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return False
        raise
    return True


def _program(command: list[str], environment: dict[str, str], *, cwd: Path = uv.ROOT) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DeployFailed(f"{' '.join(command[:3])} failed: {(done.stdout + done.stderr)[-3000:]}")


STEPS: tuple[tuple[str, Callable[[Deployment], None]], ...] = (
    ("bucket", bucket),
    ("templates", templates),
    ("state", state),
    ("secrets", fill_secret),
    ("package", package),
    ("functions", functions),
    ("edge", edge),
    ("migrate", migrate),
    ("bootstrap", bootstrap),
    ("refill", refill),
    ("smoke", smoke),
)
