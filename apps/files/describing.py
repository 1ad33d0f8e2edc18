"""What a document is said to be: its name, type, attributes and lifetime, changed without touching its content."""

from dataclasses import replace
from typing import Any

from apps.access.records import Right
from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.files import changes, services
from apps.files.records import Document
from apps.files.states import FileNotReady, as_words
from apps.files.store import MORTAL
from apps.files.trail import FileEvent


def describe(file_id: str, *, actor: Actor, **described: Any) -> Document:
    """Change what is said of a document; what is not named stays. Its content, versions and keys stay as they are.

    Args:
        file_id: of the document.
        actor: who changes it.
        described: any of name, document_type, media_type, attributes (all of them) and expires_at.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it is no document yet or no longer, or was changed meanwhile.
    """
    file = services.find(file_id, actor=actor, right=Right.WRITE)
    if not isinstance(file, Document) or file.status not in MORTAL:
        raise FileNotReady(
            f"Only an encrypted or archived file can be changed; this one is {as_words(file.status)}."
        )
    with transaction(actor) as tx:
        changed = changes.change(
            tx, file, replace(file, **described), otherwise=FileNotReady(services.CHANGED)
        )
        tx.audit(FileEvent.DESCRIBED, file_id=file_id, fields=sorted(described))
    return changed
