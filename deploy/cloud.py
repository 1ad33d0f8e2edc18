"""The calls of AWS that the deploy steps make; each can be made again, and changes nothing then."""

import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

POLL_SECONDS = 3.0
LIMIT_SECONDS = 3_600.0  # of a stack: a global table with replicas takes longest


class DeployFailed(Exception):
    """A step failed; the message says at what. It can be run again."""


class Cloud:
    """One account and region."""

    def __init__(self, region: str) -> None:
        self.session = boto3.session.Session(region_name=region)
        self.region = region
        self.account = str(self.client("sts").get_caller_identity()["Account"])

    def client(self, service: str) -> Any:
        """Return a client whose calls may take as long as the longest function runs."""
        # One attempt: what is invoked is not invoked again because it takes long
        config = Config(read_timeout=910, retries={"total_max_attempts": 1 if service == "lambda" else 5})
        return self.session.client(service, config=config)  # type: ignore[call-overload]

    def ensure_bucket(self, name: str) -> None:
        """Make the private bucket of templates and packages."""
        s3 = self.client("s3")
        try:
            s3.head_bucket(Bucket=name)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise DeployFailed(f"The bucket {name} is somebody else's, or not to be reached.") from None
            elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
            s3.create_bucket(Bucket=name, **({} if self.region == "us-east-1" else elsewhere))
        everything = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(
            Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(everything, True)
        )

    def put_file(self, bucket: str, key: str, path: Path) -> str:
        """Upload a file unless it is there under its key, which names its content; return its address."""
        if not self.has_file(bucket, key):
            self.client("s3").upload_file(str(path), bucket, key)
        return f"s3://{bucket}/{key}"

    def has_file(self, bucket: str, key: str) -> bool:
        """Return whether an object is there."""
        try:
            self.client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return False
        return True

    def outputs(self, stack: str) -> dict[str, str]:
        """Return what a stack puts out; nothing where there is none."""
        found = self._stack(stack)
        return {o["OutputKey"]: o["OutputValue"] for o in (found or {}).get("Outputs", [])}

    def status(self, stack: str) -> str:
        """Return a stack's state, or ``absent``."""
        found = self._stack(stack)
        return str(found["StackStatus"]) if found else "absent"

    def deploy_stack(self, stack: str, template: Path, *, bucket: str) -> str:
        """Make or update a stack by its template; return its state.

        Raises:
            DeployFailed: it was not made; CloudFormation has taken back what was.
        """
        formation = self.client("cloudformation")
        key = f"templates/{template.name}"
        self.client("s3").upload_file(str(template), bucket, key)
        url = self.client("s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
        told = {
            "StackName": stack,
            "TemplateURL": url,
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        before = self.status(stack)
        if before in {
            "ROLLBACK_COMPLETE",
            "REVIEW_IN_PROGRESS",
        }:  # nothing of it is there: it can only be removed
            self.remove_stack(stack)
            before = "absent"
        try:
            (formation.create_stack if before == "absent" else formation.update_stack)(**told)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return before
            raise DeployFailed(f"{stack}: {error.response['Error'].get('Message', error)}") from None
        return self._settled(stack)

    def protect(self, stack: str, *, on: bool) -> None:
        """Have CloudFormation refuse to remove a stack, or let it. A template cannot say it."""
        formation = self.client("cloudformation")
        formation.update_termination_protection(StackName=stack, EnableTerminationProtection=on)

    def is_protected(self, stack: str) -> bool:
        """Return whether CloudFormation refuses to remove a stack."""
        return bool((self._stack(stack) or {}).get("EnableTerminationProtection"))

    def remove_stack(self, stack: str, *, keep: Collection[str] = ()) -> None:
        """Remove a stack with all that it does not retain. Idempotent.

        Args:
            stack: its name.
            keep: names of what may stay where it cannot be removed: buckets that are not empty.

        Raises:
            DeployFailed: something else of it cannot be removed.
        """
        if self.status(stack) == "absent":
            return
        formation = self.client("cloudformation")
        formation.delete_stack(StackName=stack)
        if self._is_gone(stack):
            return
        kept = self._logical_ids(stack, keep)
        if kept:  # CloudFormation takes such a list only after it failed
            formation.delete_stack(StackName=stack, RetainResources=kept)
        if not kept or not self._is_gone(stack):
            raise DeployFailed(f"{stack} was not removed: {self._reasons(stack)}")

    def empty_bucket(self, name: str) -> int:
        """Remove every version of every object that S3 lets go; return how many stay, as those under object lock do."""
        s3, left = self.client("s3"), 0
        try:
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
                found = [
                    {"Key": one["Key"], "VersionId": one["VersionId"]}
                    for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                ]
                if found:
                    told = {"Objects": found, "Quiet": True}
                    answer = s3.delete_objects(Bucket=name, Delete=told, BypassGovernanceRetention=True)
                    left += len(answer.get("Errors", []))
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
        return left

    def invoke(self, function: str, event: dict[str, object]) -> Any:
        """Call a function and return its answer.

        Raises:
            DeployFailed: it raised.
        """
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            raise DeployFailed(f"{function}: {payload.get('errorType')}: {payload.get('errorMessage')}")
        return payload

    def _stack(self, name: str) -> Any:
        try:
            (found,) = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if found["StackStatus"] == "DELETE_COMPLETE" else found

    def _is_gone(self, stack: str) -> bool:
        """Wait until a stack is removed, or was not."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while (state := self.status(stack)) != "absent":
            if state == "DELETE_FAILED":
                return False
            if time.monotonic() > deadline:
                raise DeployFailed(f"{stack} is still {state}. Run it again later.")
            time.sleep(POLL_SECONDS)
        return True

    def _logical_ids(self, stack: str, names: Collection[str]) -> list[str]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        resources = (one for page in pages for one in page["StackResourceSummaries"])
        return [one["LogicalResourceId"] for one in resources if one.get("PhysicalResourceId") in names]

    def _settled(self, stack: str) -> str:
        deadline = time.monotonic() + LIMIT_SECONDS
        while (state := self.status(stack)).endswith("_IN_PROGRESS"):
            if time.monotonic() > deadline:
                raise DeployFailed(f"{stack} is still {state}. Run it again later.")
            time.sleep(POLL_SECONDS)
        if state not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise DeployFailed(f"{stack} is {state}: {self._reasons(stack)}")
        return state

    def _reasons(self, stack: str) -> str:
        events = self.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
        failed = [e for e in events if str(e.get("ResourceStatus", "")).endswith("_FAILED")]
        return "; ".join(f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in failed[:5])
