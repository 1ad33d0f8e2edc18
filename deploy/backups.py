"""Backup and restore of a stage by its APIs: rows of all tables, the platform's secret, users with their second factors.

Objects are not in it: bodies are ciphertext, which AWS's own command line copies, and `manage.py find_bodies` has the
records name where they are by then (docs/operations.md). ``undelete`` takes back what was deleted from buckets, which
keep versions. A backup opens for its recipient alone, as those of ``apps.stack.backups`` do, whose format it has.

Rows are those of one moment only while nothing writes: ``at_rest`` stops both functions, waits until those at work have
ended, and no backup is kept beside which the trail moved on. A restore that ends in its midst leaves them stopped: with
half of its tables a stage would take the bodies of the other half for orphans.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from apps.stack import backups, uv
from apps.stack.backups import BackupFailed
from deploy import at_work, pack
from deploy.steps import Deployment, exists

WRITTEN = 25  # rows of one BatchWriteItem
TRIES = 8
FIRST_WAIT = 0.1  # seconds after which rows that a table did not take are sent again; doubled each time
# Permissions are made by migrate, as are the ready roles' groups: so groups go by their names
PEOPLE = {
    "groups.json": ("auth.Group", "--natural-primary", "--natural-foreign"),
    "users.json": ("access.User", "account", "mfa", "socialaccount", "--natural-foreign"),
}
SECRET, TABLES, DATABASE = "secret.json", "tables", "DATABASE_URL"
UNDER_WAY = "RESTORING"  # in the secret, the SHA-256 of the backup whose rows are being written: it may be given again


class HalfRestored(BackupFailed):
    """A restore ended in its midst: some of the backup is there, and the functions stay stopped. It can be given again."""


@dataclass
class StageData:
    """The data of one stage."""

    client: Callable[[str], Any]
    prefix: str
    secret: str = ""
    database: str = ""
    functions: tuple[str, ...] = ()

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Of a deployed stage, whose secret says where its users are."""
        config, client = deployment.config, deployment.cloud.client
        name = f"{config.prefix}/platform"
        found = json.loads(client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
        both = (config.api_function, config.worker_function)
        functions = tuple(function for function in both if exists(deployment, function))
        return cls(client, config.prefix, name, str(found[DATABASE]), functions)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Let neither function begin anything, and whoever is at work end: in a minute, or a quarter of an hour at most.

        Raises:
            BackupFailed: something goes on that is no function of the stage.
        """
        functions, stays = self.client("lambda"), False
        try:
            for name in self.functions:
                functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
            if self.functions:
                at_work.wait_for_rest(self.client, self.prefix)
            yield
        except HalfRestored:
            stays = True
            raise
        finally:
            if not stays:
                self.start(*self.functions)

    def start(self, *functions: str) -> None:
        """Let functions begin again. Idempotent."""
        for name in functions:
            self.client("lambda").delete_function_concurrency(FunctionName=name)

    def make(self, *, recipient: Path, out: Path) -> str:
        """Write a backup; return its SHA-256.

        Raises:
            BackupFailed: a name is taken, the recipient's document is none, the database does not answer from here, or
                the stage was changed meanwhile.
        """
        return backups.write(self._archive(), recipient=recipient, out=out)

    def restore(self, backup: Path, *, key: Path) -> int:
        """Bring a backup into empty tables and a database without users; return the number of rows.

        Raises:
            HalfRestored: it began, and did not come to its end.
            BackupFailed: a table is missing or has rows, or the backup does not open; nothing was changed.
        """
        with tempfile.TemporaryDirectory(prefix="qkd-restore-") as place:  # 0700, and gone in any case
            folder = Path(place)
            backups.extract(backup, key=key, target=folder)
            pages = sorted((folder / TABLES).glob("*/*.json"))
            with backup.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if self._secret().get(UNDER_WAY) != digest:
                self._demand_empty({page.parent.name for page in pages})
            try:
                self._bring_people(folder)
                self._bring_secret(folder, {UNDER_WAY: digest})
                rows = sum(self._write(page.parent.name, json.loads(page.read_text())) for page in pages)
                self._bring_secret(folder, {})
            except BaseException as error:
                raise HalfRestored(
                    f"The restore ended in its midst: {error or type(error).__name__}\nThe functions of the stage stay "
                    "stopped. Give the same command again, with this backup."
                ) from error
            return rows

    def _bring_people(self, folder: Path) -> None:
        if self.database:
            self._django("migrate", "--no-input")
            self._django("loaddata", *(str(folder / name) for name in PEOPLE))
            self._django("migrate", "--no-input")  # the ready roles are what they are in this release

    def _bring_secret(self, folder: Path, mark: dict[str, str]) -> None:
        """The backup's keys; where the users are says the stage, whose database may be another one by now."""
        if self.secret:
            kept = json.loads((folder / SECRET).read_text())
            kept.pop(UNDER_WAY, None)
            own = {DATABASE: self.database} if self.database else {}
            manager = self.client("secretsmanager")
            manager.put_secret_value(SecretId=self.secret, SecretString=json.dumps(kept | own | mark))

    def _secret(self) -> dict[str, str]:
        if not self.secret:
            return {}
        manager = self.client("secretsmanager")
        found: dict[str, str] = json.loads(
            manager.get_secret_value(SecretId=self.secret)["SecretString"] or "{}"
        )
        return found

    def undelete(self, bucket: str) -> int:
        """Take back what was deleted from a bucket with versions: remove the marks of it; return how many."""
        s3, taken = self.client("s3"), 0
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for mark in page.get("DeleteMarkers", []):
                s3.delete_object(Bucket=bucket, Key=mark["Key"], VersionId=mark["VersionId"])
                taken += 1
        return taken

    def _archive(self) -> Iterator[bytes]:
        before = at_work.heads(self.client, self.prefix)
        yield from backups.begin()
        if self.secret:
            yield from backups.entry(SECRET, json.dumps(self._secret()).encode())
        if self.database:
            for name, words in PEOPLE.items():
                yield from backups.entry(name, self._django("dumpdata", *words).encode())
        scan = self.client("dynamodb").get_paginator("scan")
        for table in sorted(self._tables()):
            for number, page in enumerate(scan.paginate(TableName=table, ConsistentRead=True)):
                name = f"{TABLES}/{table.removeprefix(self.prefix + '-')}/{number:08d}.json"
                yield from backups.entry(name, json.dumps(page["Items"], default=_as_text).encode())
        if at_work.heads(self.client, self.prefix) != before:
            raise BackupFailed(
                "The stage was changed while it was read, so that its rows are not those of one moment. No backup was "
                "kept. Give the same command again."
            )
        yield backups.END

    def _tables(self) -> set[str]:
        pages = self.client("dynamodb").get_paginator("list_tables").paginate()
        names = (name for page in pages for name in page["TableNames"])
        return {name for name in names if name.startswith(f"{self.prefix}-")}

    def _demand_empty(self, names: set[str]) -> None:
        there = self._tables()
        for name in sorted(names):
            table = f"{self.prefix}-{name}"
            if table not in there:
                raise BackupFailed(
                    f"The table {table} is missing. Make it first: make deploy STAGE=… UNTIL=secrets"
                )
            if self.client("dynamodb").scan(TableName=table, Limit=1, ConsistentRead=True)["Items"]:
                raise BackupFailed(
                    f"The table {table} has rows. A restore overwrites nothing: remove the table first."
                )

    def _write(self, name: str, rows: list[dict[str, Any]]) -> int:
        client, table = self.client("dynamodb"), f"{self.prefix}-{name}"
        for start in range(0, len(rows), WRITTEN):
            puts = [{"PutRequest": {"Item": _as_bytes(row)}} for row in rows[start : start + WRITTEN]]
            left: Any = {table: puts}
            for attempt in range(TRIES):
                left = client.batch_write_item(RequestItems=left).get("UnprocessedItems")
                if not left:
                    break
                time.sleep(FIRST_WAIT * 2**attempt)
            else:
                raise BackupFailed(f"{table} does not take its rows: its capacity is too small.")
        return len(rows)

    def _django(self, *words: str) -> str:
        environment = os.environ | pack.SETTINGS | {"DATABASE_URL": self.database}
        command = [sys.executable, str(uv.ROOT / "manage.py"), *words]
        done = subprocess.run(
            command, cwd=uv.ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BackupFailed(f"{words[0]} failed, from here: {done.stderr.strip()[-500:]}")
        return done.stdout


def _as_text(value: Any) -> Any:
    """DynamoDB's bytes in JSON, as AWS's own exports have them."""
    return {"base64": base64.b64encode(bytes(value)).decode()}


def _as_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"base64"} and isinstance(
            value["base64"], str
        ):  # an attribute of that name has a type
            return base64.b64decode(value["base64"])
        return {name: _as_bytes(inner) for name, inner in value.items()}
    return [_as_bytes(inner) for inner in value] if isinstance(value, list) else value
