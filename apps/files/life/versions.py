"""The versions of a document."""

from collections.abc import Iterator

from apps.audit.records import Actor
from apps.common.dynamodb import Page, Position
from apps.files import services, store
from apps.files.records import Document, Version, version_id_of


def earlier_versions(
    file_id: str, *, actor: Actor, limit: int, position: Position | None = None
) -> Page[Version]:
    """What a document was before, newest first; each can be read under its own id.

    Raises:
        FileNotFound: no such file, or another's.
    """
    return store.earlier_versions(services.find(file_id, actor=actor).file_id, limit=limit, position=position)


def exists(document_id: str) -> bool:
    """Return whether there is such a document."""
    return store.find_document(document_id) is not None


def contents(document_id: str) -> Iterator[Document | Version]:
    """A document and its earlier versions, all read consistently: an index may lag behind a replacement.

    Raises:
        RecordForged: one of them was changed outside of the platform.
    """
    head = store.find_document(document_id)
    if head is None:
        return
    yield head
    names = [version_id_of(document_id, number) for number in range(1, int(head.version))]
    yield from store.versions_of(names)
