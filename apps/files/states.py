"""The states of documents, versions and uploads, and the transitions between them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias, get_args

from apps.audit.records import Event
from apps.common.errors import Refused
from apps.files.trail import FileEvent


class FileNotReady(Refused):
    """The file's state does not allow it: not uploaded, not encrypted yet, or deleted."""


class FileStatus(StrEnum):
    """Every state, as the API and the lists name it; which record has which, the literals below say."""

    AWAITING_UPLOAD = "awaiting_upload"
    AWAITING_BODY = "awaiting_body"  # the client encrypts: its body is to come
    ENCRYPTED = "encrypted"
    REJECTED = "rejected"  # ``reason`` says why
    DELETED = "deleted"
    ARCHIVING = "archiving"
    ARCHIVED = "archived"
    RECALLING = "recalling"
    SUPERSEDED = "superseded"  # an earlier version of a document
    APPLIED = "applied"  # an upload that became a new version of a document
    SHREDDING = "shredding"  # its keys are destroyed, its bodies are being removed
    SHREDDED = "shredded"  # what is left tells when, not what


DocumentStatus: TypeAlias = Literal[
    FileStatus.ENCRYPTED,
    FileStatus.ARCHIVING,
    FileStatus.ARCHIVED,
    FileStatus.RECALLING,
    FileStatus.DELETED,
    FileStatus.SHREDDING,
    FileStatus.SHREDDED,
]
VersionStatus: TypeAlias = Literal[FileStatus.SUPERSEDED, FileStatus.SHREDDED]
UploadStatus: TypeAlias = Literal[
    FileStatus.AWAITING_UPLOAD,
    FileStatus.AWAITING_BODY,
    FileStatus.REJECTED,
    FileStatus.APPLIED,
    FileStatus.SHREDDED,
]
STATES: dict[str, tuple[FileStatus, ...]] = {
    "document": get_args(DocumentStatus),
    "version": get_args(VersionStatus),
    "upload": get_args(UploadStatus),
}

# In these the bytes of an announced file are still to come.
AWAITED = frozenset({FileStatus.AWAITING_UPLOAD, FileStatus.AWAITING_BODY})

# In these the record names a body and its keys.
SEALED = frozenset(
    {
        FileStatus.ENCRYPTED,
        FileStatus.DELETED,
        FileStatus.ARCHIVING,
        FileStatus.ARCHIVED,
        FileStatus.RECALLING,
        FileStatus.SUPERSEDED,
    }
)

# In these a pool key is needed, now or once the client has sent the body.
KEYED = SEALED | {FileStatus.AWAITING_BODY}

# In these nothing is on its way, so that a body may be replaced by another encryption of it.
AT_REST = SEALED - {FileStatus.ARCHIVING, FileStatus.RECALLING}


@dataclass(frozen=True, slots=True)
class Transition:
    """One arrow of the state diagram."""

    name: str
    source: FileStatus
    target: FileStatus
    event: Event


# The only place that says what a file may become; checks, services and the page of the documentation use it.
TRANSITIONS: tuple[Transition, ...] = (
    Transition("encrypt", FileStatus.AWAITING_UPLOAD, FileStatus.ENCRYPTED, FileEvent.ENCRYPTED),
    Transition("apply", FileStatus.AWAITING_UPLOAD, FileStatus.APPLIED, FileEvent.REPLACED),
    Transition("reject", FileStatus.AWAITING_UPLOAD, FileStatus.REJECTED, FileEvent.REJECTED),
    Transition("finish", FileStatus.AWAITING_BODY, FileStatus.ENCRYPTED, FileEvent.ENCRYPTED),
    Transition("reject", FileStatus.AWAITING_BODY, FileStatus.REJECTED, FileEvent.REJECTED),
    Transition("delete_upload", FileStatus.REJECTED, FileStatus.SHREDDED, FileEvent.DELETED),
    Transition("replace", FileStatus.ENCRYPTED, FileStatus.ENCRYPTED, FileEvent.REPLACED),
    Transition("replace", FileStatus.ARCHIVED, FileStatus.ENCRYPTED, FileEvent.REPLACED),
    # An upload that was announced before the document was deleted; restored, the document has its content
    Transition("replace_deleted", FileStatus.DELETED, FileStatus.DELETED, FileEvent.REPLACED),
    Transition("archive", FileStatus.ENCRYPTED, FileStatus.ARCHIVING, FileEvent.ARCHIVED),
    Transition("finish_archiving", FileStatus.ARCHIVING, FileStatus.ARCHIVED, FileEvent.ARCHIVED),
    Transition("recall", FileStatus.ARCHIVED, FileStatus.RECALLING, FileEvent.RECALLED),
    Transition("finish_recalling", FileStatus.RECALLING, FileStatus.ENCRYPTED, FileEvent.RECALLED),
    Transition("delete", FileStatus.ENCRYPTED, FileStatus.DELETED, FileEvent.DELETED),
    Transition("delete", FileStatus.ARCHIVED, FileStatus.DELETED, FileEvent.DELETED),
    Transition("restore", FileStatus.DELETED, FileStatus.ENCRYPTED, FileEvent.RESTORED),
    Transition("restore", FileStatus.DELETED, FileStatus.ARCHIVED, FileEvent.RESTORED),
    Transition("shred", FileStatus.DELETED, FileStatus.SHREDDING, FileEvent.SHREDDED),
    Transition("finish_shredding", FileStatus.SHREDDING, FileStatus.SHREDDED, FileEvent.SHREDDED),
    Transition("shred_version", FileStatus.SUPERSEDED, FileStatus.SHREDDED, FileEvent.SHREDDED),
)
# In these a record begins; an upload's first commit makes it a document.
BEGINNINGS: dict[str, tuple[tuple[FileStatus, str], ...]] = {
    "document": (),
    "version": ((FileStatus.SUPERSEDED, "replace"),),
    "upload": ((FileStatus.AWAITING_UPLOAD, "announce"), (FileStatus.AWAITING_BODY, "announce")),
}
_ARROWS = {(one.source, one.target) for one in TRANSITIONS}


def transition(name: str, source: FileStatus, target: FileStatus | None = None) -> Transition:
    """The table's transition of this name from a state (to ``target``, where it leads to several).

    Raises:
        FileNotReady: there is none.
    """
    for one in TRANSITIONS:
        if one.name == name and one.source is source and target in {None, one.target}:
            return one
    raise FileNotReady(refusal(name, source))


def refusal(name: str, status: FileStatus) -> str:
    """Why a file cannot do it, and which can: "Only an encrypted file can be archived; this one is deleted."."""
    possible = [as_words(one.source) for one in TRANSITIONS if one.name == name]
    sources = " or ".join(dict.fromkeys(possible))
    article = "an" if sources[0] in "aeiou" else "a"
    done = name.replace("_", " ") + ("d" if name.endswith("e") else "ed")
    return f"Only {article} {sources} file can be {done}; this one is {as_words(status)}."


def as_words(status: FileStatus) -> str:
    """A state as it stands in a sentence."""
    return status.value.replace("_", " ")


def is_possible(source: FileStatus, target: FileStatus) -> bool:
    """Return whether a file in one state may be in the other after a change."""
    return source is target or (source, target) in _ARROWS
