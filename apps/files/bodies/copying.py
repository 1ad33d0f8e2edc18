"""Copies of objects that S3 makes itself: no byte passes through here."""

from typing import Any

from apps.common import aws
from apps.files.bodies import objects
from apps.files.bodies.objects import Head, ObjectRef

COPY_BYTES = 5 * 2**30  # the most that S3 copies in one request
COPIED_PART_BYTES = 512 * 2**20


def copy(source: ObjectRef, *, key: str, storage_class: str) -> ObjectRef:
    """Copy an object within its bucket, to another storage class.

    Raises:
        ObjectGone: the source does not exist.
    """
    head = objects.head_of(source)
    target: dict[str, Any] = {"Bucket": source.bucket, "Key": key}
    if head.size > COPY_BYTES:
        return _copy_in_parts(source, target, storage_class, head)
    s3: Any = aws.client("s3")
    answer = s3.copy_object(**target, CopySource=source.arguments(), StorageClass=storage_class)
    return ObjectRef(source.bucket, key, answer.get("VersionId", ""))


def _copy_in_parts(source: ObjectRef, target: dict[str, Any], storage_class: str, head: Head) -> ObjectRef:
    s3: Any = aws.client("s3")
    about = {
        "StorageClass": storage_class,
        "Metadata": dict(head.metadata),
    }  # S3 copies it by itself only whole
    upload = target | {"UploadId": s3.create_multipart_upload(**target, **about)["UploadId"]}
    size = head.size
    try:
        parts = []
        for number, start in enumerate(range(0, size, COPIED_PART_BYTES), 1):
            end = min(start + COPIED_PART_BYTES, size) - 1
            answer = s3.upload_part_copy(
                **upload,
                PartNumber=number,
                CopySource=source.arguments(),
                CopySourceRange=f"bytes={start}-{end}",
            )
            parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
        answer = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    except BaseException:
        objects.abort(target["Bucket"], target["Key"], upload["UploadId"])
        raise
    return ObjectRef(source.bucket, target["Key"], answer.get("VersionId", ""))
