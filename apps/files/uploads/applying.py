"""What an upload becomes: a new document, or the next version of one.

The upload of a version is a record of its own (``<document>.<random>``), so that it takes the same way as any
other. Its commit makes three rows in one transaction: the document with the new content, the earlier content as
``<document>.v<number>``, and the upload as ``applied``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.audit.records import Event
from apps.audit.services import Transaction
from apps.files import changes, store
from apps.files.records import UNKNOWN_TYPE, Content, Document, Upload, Version, package_id_of, version_id_of
from apps.files.states import AT_REST, FileNotReady, FileStatus, Transition, as_words, transition
from apps.files.trail import FileEvent
from apps.files.traits import RENEWED, as_shredded, fields_with, traits_of, values

_FASTER = "Another delivery of the event was faster."


@dataclass(frozen=True, slots=True)
class Plan:
    """What an upload is about to become."""

    upload: Upload
    head: Document | None  # the document as it is, where this is not its first version

    @property
    def version(self) -> int:
        """The number that the content gets."""
        return self.head.version + 1 if self.head else 1

    @property
    def package_id(self) -> str:
        """What the envelope's header names."""
        return package_id_of(self.upload.document_id, self.version)

    @property
    def event(self) -> Event:
        """What the audit trail says of it."""
        return _replacement(self.head).event if self.head else FileEvent.ENCRYPTED

    def document(self, source: Mapping[str, str], learnt: Mapping[str, Any]) -> Document:
        """The document with the upload's content, and with what was learnt while it was encrypted."""
        upload = self.upload
        unknown = upload.media_type == UNKNOWN_TYPE
        new = Document(
            file_id=upload.document_id,
            name=upload.name,
            document_type=upload.document_type,
            owner=upload.owner,
            status=FileStatus.ENCRYPTED,
            uploaded_at=upload.uploaded_at,
            attributes=upload.attributes,
            content_encoding=upload.content_encoding,
            source_path=upload.source_path,
            asked=upload.asked,
            expires_at=upload.expires_at,
            media_type=learnt["sniffed_type"] if unknown else upload.media_type,
            source=source,
            version=self.version,
            **learnt,
        )
        if self.head is None:
            return new
        return replace(
            self.head,
            status=_replacement(self.head).target,  # type: ignore[arg-type]  # a document's, by the table
            **values(new, fields_with(Document, RENEWED)),
        )

    def commit(self, tx: Transaction, document: Document) -> Document:
        """Put the document into its place; return it as its row then is.

        Raises (at commit):
            FileNotReady: the record is no longer as it was planned; nothing was changed.
        """
        refused = FileNotReady(_FASTER)
        if self.head is None:
            return changes.change(tx, self.upload, document, otherwise=refused)
        # What describes the content stands with the document, and goes with it
        kept = as_shredded(self.upload, text="(applied)")
        applied = replace(kept, status=FileStatus.APPLIED, source=document.source, reason=None)
        changes.put(tx, _earlier(self.head), otherwise=refused)
        changes.change(tx, self.upload, applied, otherwise=refused)
        return changes.change(tx, self.head, document, otherwise=refused)


def _replacement(head: Document) -> Transition:
    deleted = head.status is FileStatus.DELETED
    return transition("replace_deleted" if deleted else "replace", head.status)


def _earlier(head: Document) -> Version:
    """What a document was before: the same content under an id of its own."""
    content = values(head, list(traits_of(Content)))
    return Version(
        **content | {"file_id": version_id_of(head.file_id, head.version)}, document_id=head.file_id
    )


def plan_of(upload: Upload) -> Plan:
    """What an upload becomes now.

    Raises:
        FileNotReady: its document is on its way to cold storage or back; deliver the event again.
    """
    if upload.replaces is None:
        return Plan(upload, None)
    head = store.find_document(upload.replaces)
    if head is None or head.status not in AT_REST:
        state = as_words(head.status) if head else "gone"
        raise FileNotReady(f"Document {upload.replaces} is {state} and cannot take a new version now.")
    return Plan(upload, head)


def is_orphaned(upload: Upload) -> bool:
    """Return whether an upload has no document any more that it could become a version of."""
    if upload.replaces is None:
        return False
    head = store.find_document(upload.replaces)
    return head is None or head.status in store.SHREDDED
