"""Rendering of a file's parts in the console."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.access.console import actor_of
from apps.console import people, render
from apps.console.details import Related
from apps.console.render import Tone
from apps.files import sharing
from apps.files.life import versions
from apps.files.models import File
from apps.files.records import Version
from apps.files.states import FileStatus

MAY_DECRYPT = "files.decrypt_file"
RELATED = 25
READABLE = frozenset({FileStatus.ENCRYPTED, FileStatus.SUPERSEDED})
TONES = {
    FileStatus.AWAITING_UPLOAD: Tone.WAIT,
    FileStatus.AWAITING_BODY: Tone.WAIT,
    FileStatus.ENCRYPTED: Tone.GOOD,
    FileStatus.ARCHIVING: Tone.WAIT,
    FileStatus.ARCHIVED: Tone.INFO,
    FileStatus.RECALLING: Tone.WAIT,
    FileStatus.SUPERSEDED: Tone.MUTED,
    FileStatus.APPLIED: Tone.MUTED,
    FileStatus.REJECTED: Tone.BAD,
    FileStatus.DELETED: Tone.MUTED,
    FileStatus.SHREDDING: Tone.MUTED,
    FileStatus.SHREDDED: Tone.MUTED,
}


def envelope_header(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the envelope was made: named fields only, so that nothing sealed reaches a page."""
    header = envelope.get("header", {})
    if not header:
        return {}
    return {
        "format_version": header.get("version"),
        "suite": header.get("suite"),
        "body": header.get("body"),
        "sealed_to": envelope.get("pool_suite"),
        "bound_to_context": bool(header.get("context_digest")),
        "passphrase_protected": bool(header.get("passphrase")),
    }


def versions_of(request: HttpRequest, document: File) -> Related:
    """Return the document as it is now and its earlier versions, each with its state and a way to read it."""
    page = versions.earlier_versions(document.pk, actor=actor_of(request), limit=RELATED)
    rows = [_version(request, document, "this one"), *(_version(request, one) for one in page.records)]
    columns = ("Number", "Version", "Name", "Size", "Encrypted", "Status", "")
    more = f"The newest {RELATED} of the earlier ones; the API lists all." if page.older else ""
    note = "" if page.records else "It has no earlier version. A new one keeps what is there now."
    return Related(title="Versions", columns=columns, rows=rows, note=note, more=more)


def _version(request: HttpRequest, one: File | Version, text: str | None = None) -> tuple[Any, ...]:
    file_id = one.pk if isinstance(one, File) else one.file_id
    readable = one.status in READABLE and request.user.has_perm(MAY_DECRYPT)
    return (
        render.number(one.version),
        render.link(request.user, "files.file", file_id, text),
        render.name(one.name),
        render.size(one.size),
        render.moment(one.encrypted_at),
        render.badge(one.status, TONES),
        render.url_link(reverse("admin:files_file_download", args=[file_id]), "Download…")
        if readable
        else "",
    )


def shared_with(request: HttpRequest, file_id: str) -> Related:
    page = sharing.shared_with(file_id, actor=actor_of(request), limit=RELATED)
    rows = [
        (
            people.who(one.grantee),
            render.words(one.right),
            render.moment(one.until) if one.until else "no end",
        )
        for one in page.records
    ]
    return Related(
        title="Shared with", columns=("Whom", "Right", "Until"), rows=rows, note="" if rows else "Nobody."
    )
