"""``python -m deploy plan|deploy|undeploy|rollback|manage|backup|restore|undelete <stage> [words]``: what the targets of the Makefile run."""

import os
import shlex
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from apps.stack.backups import BackupFailed
from deploy import backups, removal, steps
from deploy.cloud import Cloud, DeployFailed
from deploy.stages import BadStage, read_config
from deploy.steps import STEPS, Deployment

ASIDE = "set_keys_aside"
STACKS = ("network", "state", "edge", "observability", "analytics", "governance")


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 done, 1 failed, 2 not possible as asked."""
    verb, stage, *words = arguments
    try:
        config = read_config(stage)
        deployment = Deployment(config, Cloud(config.region))
        return VERBS[verb](deployment, words)
    except (BadStage, BackupFailed) as error:
        print(error, file=sys.stderr)
        return 2
    except NoCredentialsError:
        print(
            "No credentials of AWS are in this shell: aws configure, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            file=sys.stderr,
        )
        return 2
    except (DeployFailed, ClientError, BotoCoreError) as error:
        print(f"Failed: {error}\nIt can be run again: what is done stays.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}.", file=sys.stderr)
        return 1


def plan(deployment: Deployment, _words: list[str]) -> int:
    """Show what is there, and what would be done."""
    config = deployment.config
    print(f"Stage {config.stage} in {config.region}, account {deployment.cloud.account}")
    for name in STACKS:
        print(f"  {deployment.stack(name):32} {deployment.cloud.status(deployment.stack(name))}")
    print(f"  API                              {deployment.api_id or 'absent'}")
    kept = "stays" if config.deletion_protection else "can be removed by make undeploy"
    print(f"  Data {kept}. Steps: {', '.join(name for name, _ in STEPS)}")
    return 0


def deploy(deployment: Deployment, words: list[str]) -> int:
    """Run the steps in their order, from one on and until another one where their names are given."""
    names = [name for name, _ in STEPS]
    first, last = words[0] if words else names[0], os.environ.get("UNTIL") or names[-1]
    for told, name in (("FROM", first), ("UNTIL", last)):
        if name not in names:
            raise BadStage(f"{told} must be one of {', '.join(names)}, not {name!r}.")
    plan(deployment, [])
    start = names.index(first)
    for number, (name, step) in enumerate(STEPS[start : names.index(last) + 1], start + 1):
        print(f"{number}/{len(STEPS)} {name}", flush=True)
        if name == "functions" and not deployment.package:
            steps.package(deployment)
        step(deployment)
    return 0


def rollback(deployment: Deployment, words: list[str]) -> int:
    """Bring back an earlier package for both functions; tables and settings stay."""
    count = words[0] if words else "1"
    if not count.isdigit():
        raise BadStage(f"COUNT must be a number of packages, not {count!r}.")
    steps.take_earlier(deployment, int(count))
    steps.functions(deployment)
    steps.patch_stage(deployment)  # Zappa resets it at every update
    steps.smoke(deployment)
    return 0


def manage(deployment: Deployment, words: list[str]) -> int:
    """Run a management command on the worker, and show what it wrote."""
    print(steps.manage(deployment, shlex.join(words)), end="")
    return 0


def backup(deployment: Deployment, words: list[str]) -> int:
    """Write the rows, settings and users of a stage into a file, encrypted to a recipient."""
    recipient, out = map(Path, words)
    data = backups.StageData.of(deployment)
    with data.at_rest():
        told = data.make(recipient=recipient, out=out)
    print(f"{out}: {out.stat().st_size:,} bytes, SHA-256 {told}")
    return 0


def restore(deployment: Deployment, words: list[str]) -> int:
    """Bring a backup into the empty tables of a stage, and take its quantum keys out of use before the API answers."""
    place, key = map(Path, words)
    data = backups.StageData.of(deployment)
    with data.at_rest():
        rows = data.restore(place, key=key)
        print(f"{rows:,} rows restored.")
        if data.functions:
            data.start(deployment.config.worker_function)
            print(_keys_aside(deployment), end="")
    if not data.functions:
        stage = deployment.config.stage
        print(
            f"As soon as it runs: make deploy STAGE={stage} FROM=package; make manage STAGE={stage} DO={ASIDE}; "
            f"where its bodies were brought back from copies, make manage STAGE={stage} DO=find_bodies"
        )
    return 0


def undelete(deployment: Deployment, words: list[str]) -> int:
    """Take back what was deleted from one of a stage's buckets."""
    kind = words[0] if words else ""
    bucket = deployment.outputs.get(f"{kind.title()}Bucket")
    if not bucket:
        raise BadStage(f"BUCKET must be encrypted, checkpoints, uploads or exports, not {kind!r}.")
    taken = backups.StageData(deployment.cloud.client, deployment.config.prefix).undelete(bucket)
    print(f"{bucket}: {taken} objects are back.")
    return 0


def _keys_aside(deployment: Deployment) -> str:
    try:
        return steps.manage(deployment, ASIDE)
    except (DeployFailed, ClientError, BotoCoreError) as error:
        raise backups.HalfRestored(
            f"The rows are there, and their quantum keys still in use: {error}\nThe API stays stopped. make manage "
            f"STAGE={deployment.config.stage} DO={ASIDE}, then make deploy STAGE={deployment.config.stage} FROM=package."
        ) from error


VERBS = {
    "plan": plan,
    "deploy": deploy,
    "undeploy": removal.undeploy,
    "rollback": rollback,
    "manage": manage,
    "backup": backup,
    "restore": restore,
    "undelete": undelete,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
