"""Versions of a document: an upload becomes its content, what was there before is kept beside it.

A replacement is announced as a record of its own (``<document>.<random>``), so that its upload takes the same way
as any other. Its commit makes three rows in one transaction: the document with the new content, the earlier
content as ``<document>.v<number>``, and the announcement as ``applied``.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.audit.records import Event
from apps.audit.services import Transaction
from apps.files.records import SEALED, File, FileNotReady, FileStatus, StorageClass
from apps.files.store import FileTable
from apps.files.trail import FileEvent

_FASTER = "Another delivery of the event was faster."


@dataclass(frozen=True, slots=True)
class Plan:
    """What an upload is about to become."""

    file: File  # the announcement, with the version that its content will be
    head: File | None  # the document as it is, where this is not its first version

    @property
    def document_id(self) -> str:
        """The document's id."""
        return self.file.document_id or self.file.file_id

    @property
    def package_id(self) -> str:
        """What the envelope's header names."""
        return self.file.package_id

    @property
    def event(self) -> Event:
        """What the audit trail says of it."""
        return FileEvent.REPLACED if self.head else FileEvent.ENCRYPTED

    def commit(self, tx: Transaction, done: File) -> None:
        """Put the new content into the document's place.

        Raises (at commit):
            FileNotReady: the record is no longer as it was planned; nothing was changed.
        """
        refused = FileNotReady(_FASTER)
        if self.head is None:
            free = (FileTable.status == FileStatus.AWAITING_UPLOAD) | FileTable.file_id.does_not_exist()
            tx.replace(FileTable.of(done), condition=free, otherwise=refused)
            return
        earlier = replace(
            self.head,
            file_id=f"{self.head.file_id}.v{self.head.version}",
            document_id=self.head.file_id,
            status=FileStatus.SUPERSEDED,
            shred_after=None,
        )
        unchanged = (
            (FileTable.version == self.head.version)
            & (FileTable.status == self.head.status)
            & (FileTable.envelope == self.head.envelope)  # a re-wrapping meanwhile would be undone
        )
        announced = FileTable.status == FileStatus.AWAITING_UPLOAD
        # What describes the content stands with the document, and goes with it
        applied = replace(
            self.file,
            name=self.head.file_id,
            attributes={},
            status=FileStatus.APPLIED,
            source=done.source,
            upload={},
        )
        tx.replace(FileTable.of(self._current(done)), condition=unchanged, otherwise=refused)
        tx.put(FileTable.of(earlier), otherwise=refused)
        tx.replace(FileTable.of(applied), condition=announced, otherwise=refused)

    def _current(self, done: File) -> File:
        assert self.head is not None  # noqa: S101 - only called where there is one
        deleted = self.head.status is FileStatus.DELETED
        return replace(
            done,
            file_id=self.head.file_id,
            document_id=None,
            status=FileStatus.DELETED if deleted else FileStatus.ENCRYPTED,
            shred_after=self.head.shred_after,
        )


def planned(file: File) -> Plan:
    """What the upload of this record becomes now.

    Raises:
        FileNotReady: its document is on its way to cold storage or back; deliver the event again.
    """
    if file.document_id is None:
        return Plan(file, None)
    head = FileTable.find(file.document_id)
    if head is None or head.status not in SEALED - {FileStatus.ARCHIVING, FileStatus.RECALLING}:
        raise FileNotReady(f"Document {file.document_id} cannot take a new version now.")
    return Plan(replace(file, version=head.version + 1), head)


def is_orphaned(file: File) -> bool:
    """Whether an upload has no document any more that it could become a version of."""
    if file.document_id is None:
        return False
    head = FileTable.find(file.document_id)
    return head is None or head.status in {FileStatus.SHREDDING, FileStatus.SHREDDED}


def announced(head: File, changes: Mapping[str, Any]) -> File:
    """The record of an upload that is to become the next version of a document."""
    return replace(
        head,
        file_id=f"{head.file_id}.{secrets.token_hex(8)}",
        document_id=head.file_id,
        status=FileStatus.AWAITING_UPLOAD,
        **changes,
        **_NOTHING_YET,
    )


_NOTHING_YET: dict[str, Any] = {
    "size": None,
    "ciphertext_size": None,
    "ciphertext_sha256": None,
    "plaintext_hmac": None,
    "sniffed_type": None,
    "source": {},
    "body": {},
    "envelope": {},
    "suite": None,
    "pool_key_id": None,
    "quantum_key_id": None,
    "encrypted_at": None,
    "reason": None,
    "upload": {},
    "moved_from": {},
    "shred_after": None,
    "storage_class": StorageClass.STANDARD,
}
