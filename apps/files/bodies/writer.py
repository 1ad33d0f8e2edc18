"""Writing an S3 object as a stream, in parts that are uploaded while the next one fills."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

from apps.common import aws
from apps.files.bodies import objects
from apps.files.bodies.objects import ObjectRef

IN_FLIGHT = 2  # parts uploaded at once; with the one that fills, three buffers of 8 MiB


@dataclass(slots=True)
class _Part:
    """A full buffer on its way."""

    buffer: bytearray
    uploaded: "Future[dict[str, Any]]"


class ObjectWriter:
    """A sink that becomes one object: a small one by one PUT, a larger one in parts of 8 MiB.

    As a context manager it leaves nothing behind when the block fails: the upload is aborted, and where even
    that fails, the sweep does it. After the block ``ref`` names the object.
    """

    def __init__(
        self,
        bucket: str,
        key: str,
        *,
        storage_class: str = "STANDARD",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.bucket, self.key = bucket, key
        self.ref: ObjectRef | None = None
        self._put: dict[str, Any] = {"Bucket": bucket, "Key": key, "StorageClass": storage_class}
        self._put |= {"Metadata": dict(metadata)} if metadata else {}
        self._size = objects.PART_BYTES
        self._buffer, self._filled = bytearray(), 0
        self._upload_id = ""
        self._waiting: list[_Part] = []
        self._parts: list[dict[str, Any]] = []
        self._numbered = 0

    def __enter__(self) -> Self:
        self._uploads = ThreadPoolExecutor(IN_FLIGHT, "part-upload")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        except BaseException:
            kind = True
            raise
        finally:
            # First let the threads end: a part that arrives after the abort would stay
            self._uploads.shutdown(cancel_futures=True)
            if kind is not None and self._upload_id:
                objects.abort(self.bucket, self.key, self._upload_id)

    def write(self, data: memoryview, /) -> int:
        """Take all of ``data``; a full part goes its way at once."""
        taken = 0
        while taken < len(data):
            count = min(len(data) - taken, self._size - self._filled)
            end = self._filled + count
            if end > len(self._buffer):
                self._buffer += bytes(end - len(self._buffer))
            self._buffer[self._filled : end] = data[taken : taken + count]
            self._filled, taken = end, taken + count
            if self._filled == self._size:
                self._hand_over()
        return len(data)

    def _hand_over(self) -> None:
        """Send the full buffer, and take one that is free again."""
        if not self._upload_id:
            self._upload_id = aws.client("s3").create_multipart_upload(**self._put)["UploadId"]
        self._numbered += 1
        if self._filled < len(self._buffer):  # the last part is shorter
            del self._buffer[self._filled :]
        self._waiting.append(
            _Part(
                self._buffer,
                self._uploads.submit(self._upload, self._buffer, self._numbered),
            )
        )
        self._buffer = self._await_oldest() if len(self._waiting) > IN_FLIGHT else bytearray()
        self._filled = 0

    def _upload(self, part: bytearray, number: int) -> dict[str, Any]:
        s3: Any = aws.client("s3")
        answer = s3.upload_part(
            Bucket=self.bucket, Key=self.key, UploadId=self._upload_id, PartNumber=number, Body=part
        )
        return {"ETag": answer["ETag"], "PartNumber": number}

    def _await_oldest(self) -> bytearray:
        """Wait for the oldest part; its buffer."""
        part = self._waiting.pop(0)
        self._parts.append(part.uploaded.result())
        return part.buffer

    def _finish(self) -> None:
        s3: Any = aws.client("s3")
        if not self._upload_id:
            body = bytes(memoryview(self._buffer)[: self._filled])
            answer = s3.put_object(**self._put, Body=body)
        else:
            if self._filled:
                self._hand_over()
            while self._waiting:
                self._await_oldest()
            answer = s3.complete_multipart_upload(
                Bucket=self.bucket,
                Key=self.key,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": self._parts},
            )
        self.ref = ObjectRef(self.bucket, self.key, answer.get("VersionId", ""))
