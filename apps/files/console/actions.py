"""What can be done to files at the console."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.access.console import actor_of
from apps.access.records import Right
from apps.console import people, render
from apps.console.actions import Action, Facts, NoForm
from apps.console.models import DisplayModel
from apps.custody import reencryption
from apps.custody.reencryption import Suspect, SuspectKind
from apps.files import models, sharing
from apps.files.display import RELATED, TONES
from apps.files.forms import ArchiveForm, ShareForm, UnshareForm
from apps.files.life import archive, deleting, shredding
from apps.files.records import StorageClass
from apps.files.states import FileStatus


def _file_facts(_request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.File):
        return ()
    return (
        ("Name", render.name(obj.name)),
        ("Status", render.badge(obj.status, TONES)),
        ("Owner", people.who(obj.owner)),
        ("Size", render.size(obj.size)),
        ("Version", render.number(obj.version)),
    )


def _shared_facts(request: HttpRequest, obj: DisplayModel) -> Facts:
    """Return what a file is, and with whom it is shared now."""
    page = sharing.shared_with(str(obj.pk), actor=actor_of(request), limit=RELATED)
    grantees = render.inline([people.who_whole(one.grantee) for one in page.records])
    return (*_file_facts(request, obj), ("Shared with", grantees))


def _archive(request: HttpRequest, file_id: str, given: dict[str, Any]) -> None:
    archive.archive(file_id, storage_class=StorageClass(given["storage_class"]), actor=actor_of(request))


def _restore(request: HttpRequest, file_id: str, given: dict[str, Any]) -> None:
    del given
    archive.restore(file_id, actor=actor_of(request))


def _delete(request: HttpRequest, file_id: str, given: dict[str, Any]) -> None:
    del given
    deleting.delete(file_id, actor=actor_of(request))


def _shred_facts(request: HttpRequest, obj: DisplayModel) -> Facts:
    """Return what a file is, and until when it could be restored."""
    until = getattr(obj, "shred_after", None)
    return (*_file_facts(request, obj), ("Can be restored until", render.moment(until)))


def _shred(request: HttpRequest, file_id: str, given: dict[str, Any]) -> None:
    shredding.shred(file_id, reason=given["reason"], actor=actor_of(request))


def _share(request: HttpRequest, file_id: str, given: dict[str, Any]) -> None:
    until: datetime | None = given["until"]
    sharing.share(
        file_id,
        grantee=people.id_of(given["grantee"]),
        right=Right(given["right"]),
        until=until,
        actor=actor_of(request),
    )


def _unshare(request: HttpRequest, file_id: str, given: dict[str, Any]) -> None:
    sharing.unshare(file_id, grantee=people.id_of(given["grantee"]), actor=actor_of(request))


def _reencrypt(request: HttpRequest, file_id: str, given: dict[str, Any]) -> SafeString:
    suspect = Suspect(SuspectKind.FILE, file_id)
    job = reencryption.start(suspect, reason=given["reason"], actor=actor_of(request))
    return format_html("Job {} re-encrypts it.", render.link(request.user, "jobs.job", job.job_id))


def _in(*states: FileStatus) -> Any:
    def offered(obj: DisplayModel) -> bool:
        return isinstance(obj, models.File) and obj.status in states

    return offered


ACTIONS = (
    Action(
        name="share", label="Share…", title="Share a file", permission="share", button="Share", done="shared",
        warning="Lets somebody else read or write this document and its versions. What they were granted before is "
        "replaced.",
        destructive=False, several=False, act=_share, form_class=ShareForm, facts=_file_facts,
        offered=_in(FileStatus.ENCRYPTED, FileStatus.ARCHIVED),
    ),
    Action(
        name="unshare", label="Stop sharing…", title="Stop sharing a file", permission="share", button="Stop sharing",
        warning="Takes the document and its versions back from somebody, at once. What they have read, they may have "
        "kept.",
        done="shared no more", several=False, act=_unshare, form_class=UnshareForm, facts=_shared_facts,
        offered=_in(FileStatus.ENCRYPTED, FileStatus.ARCHIVED),
    ),
    Action(
        name="archive", label="Archive…", title="Archive files", permission="write", button="Archive", done="archived",
        warning="Moves the encrypted content to cold storage, which costs less and is read later.",
        destructive=False, act=_archive, form_class=ArchiveForm, facts=_file_facts, offered=_in(FileStatus.ENCRYPTED),
    ),
    Action(
        name="restore", label="Restore…", title="Restore files", permission="write", button="Restore", done="restored",
        warning="Brings deleted files back to where they were, and archived ones out of cold storage.",
        destructive=False, act=_restore, form_class=NoForm, facts=_file_facts,
        offered=_in(FileStatus.DELETED, FileStatus.ARCHIVED),
    ),
    Action(
        name="reencrypt", label="Re-encrypt…", title="Re-encrypt a file", permission="custody.reencrypt_rotation", button="Re-encrypt",
        warning="Encrypts the file and its versions again: envelope and body, with new keys.",
        done="queued for re-encryption", destructive=False, several=False, act=_reencrypt, facts=_file_facts,
        offered=_in(FileStatus.ENCRYPTED),
    ),
    Action(
        name="delete", label="Delete…", title="Delete files", permission="write", button="Delete", done="deleted",
        warning="Hides these files. Documents can be restored until their window ends; then they are shredded: their "
        "keys are destroyed, and nothing brings them back. An upload that is awaited or was rejected is deleted at once.",
        act=_delete, form_class=NoForm, facts=_file_facts,
        offered=_in(FileStatus.ENCRYPTED, FileStatus.ARCHIVED, FileStatus.AWAITING_UPLOAD, FileStatus.REJECTED),
    ),
    Action(
        name="shred", label="Shred now…", title="Shred a deleted file", permission="shred", button="Shred permanently",
        warning="Destroys the keys of the file and of all its versions, then what was encrypted with them. From then "
        "on every copy of it is noise, and nothing brings it back: no restore, no pool key, no root key. Only a "
        "backup made before still has its keys.",
        done="shredded", several=False, act=_shred, facts=_shred_facts, offered=_in(FileStatus.DELETED),
    ),
)  # fmt: skip
