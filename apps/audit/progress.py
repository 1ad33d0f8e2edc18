"""How far a verification is, kept outside of its process: another goes on there, not at the beginning.

In the bucket of temporary copies, below ``verifications/<job>/``: the newest state, and the newest tags of records in
parts, each with what came since the one before. The state carries a MAC under the audit key over the job's id, and the
digests of the parts: who writes the bucket can have a verification begin again, but not pass anything over. An older
state of the same job only reads again what was read.
"""

import gzip
import hashlib
import hmac
import json
import logging
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from apps.audit.chain_keys import ring
from apps.audit.verifying import Run
from apps.common import clock
from apps.common.aws import client

log = logging.getLogger(__name__)
PREFIX = "verifications/"
KEPT_FOR = timedelta(hours=6)  # what was read longer ago is read again
_LABEL = b"qkdplatform verification v1|"


class Progress:
    """Where the progress of one job is kept."""

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self._parts: list[str] = []  # their digests, in their order

    def load(self) -> Run | None:
        """Return the verification as it was last kept; None where nothing was, or not by the platform.

        Raises:
            CheckpointsUnavailable: the bucket of checkpoints does not answer.
        """
        kept = self._get("state.json")
        if kept is None:
            return None
        try:
            document = self._opened(kept)
            if clock.from_text(document["kept_at"]) < clock.now() - KEPT_FOR:
                log.info("the progress of job %s is too old: from the beginning", self._job_id)
                return None
            tags: dict[str, str] = {}
            for number, digest in enumerate(document["parts"]):
                tags |= self._tags(number, digest)
            run = Run.of(document["run"], tags)
        except (ValueError, TypeError, KeyError, OSError) as error:
            log.warning("the progress of job %s is not usable (%s): from the beginning", self._job_id, error)
            return None
        if run is not None:
            self._parts = document["parts"]
        return run

    def _tags(self, number: int, digest: str) -> dict[str, str]:
        part = self._get(_part(number)) or b""
        if hashlib.sha256(part).hexdigest() != digest:
            raise ValueError("a part is another")
        return dict(json.loads(gzip.decompress(part)))

    def save(self, run: Run) -> None:
        """Keep how far a verification is. Where that fails, what was kept before stays."""
        newest = run.notes.newest
        parts = self._parts
        try:
            if newest is not None and newest.fresh:
                part = gzip.compress(json.dumps(newest.fresh).encode(), compresslevel=1, mtime=0)
                parts = [*parts, hashlib.sha256(part).hexdigest()]
                self._put(_part(len(parts) - 1), part)
            state = {"run": run.as_document(), "parts": parts, "kept_at": clock.as_text(clock.now())}
            body = json.dumps(state, separators=(",", ":"))
            key = ring().current
            self._put("state.json", json.dumps([key.key_id, self._mac(key.secret, body), body]).encode())
        except (ClientError, BotoCoreError) as error:
            log.warning("the progress of job %s was not kept: %s", self._job_id, type(error).__name__)
            return
        self._parts = parts
        if newest is not None:
            newest.fresh = {}

    def forget(self) -> None:
        """Remove what was kept; what cannot be removed, the bucket's life cycle does after a day."""
        try:
            for name in ("state.json", *(_part(number) for number in range(len(self._parts)))):
                client("s3").delete_object(Bucket=settings.DOWNLOADS_BUCKET, Key=self._key(name))
        except (ClientError, BotoCoreError) as error:
            log.warning("the progress of job %s was not removed: %s", self._job_id, type(error).__name__)

    def _opened(self, kept: bytes) -> Any:
        key_id, mac, body = json.loads(kept)
        key = ring().accepted[key_id]
        if not hmac.compare_digest(str(mac).encode(), self._mac(key.secret, body).encode()):
            raise ValueError("it was changed")
        return json.loads(body)

    def _mac(self, secret: bytes, body: str) -> str:
        return hmac.digest(secret, _LABEL + f"{self._job_id}|{body}".encode(), "sha256").hex()

    def _key(self, name: str) -> str:
        return f"{PREFIX}{self._job_id}/{name}"

    def _get(self, name: str) -> bytes | None:
        try:
            answer = client("s3").get_object(Bucket=settings.DOWNLOADS_BUCKET, Key=self._key(name))
            return answer["Body"].read()
        except client("s3").exceptions.NoSuchKey:
            return None

    def _put(self, name: str, content: bytes) -> None:
        client("s3").put_object(Bucket=settings.DOWNLOADS_BUCKET, Key=self._key(name), Body=content)


def _part(number: int) -> str:
    return f"tags-{number:06d}.json.gz"
