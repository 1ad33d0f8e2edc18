"""The API of files."""

import base64
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import quotas
from apps.access.authentication import actor_of, caller_of
from apps.access.quotas import FILE_SPENDS
from apps.access.views import ApiView, CreatingView, shown
from apps.common.dynamodb import Page, Position
from apps.common.errors import Invalid
from apps.common.lists import list_response
from apps.common.negotiation import ANYTHING
from apps.common.routes import address_of
from apps.common.serializers import parse_body
from apps.files import describing, listing, services
from apps.files.api.serializers.files import (
    DigestOut,
    DownloadOut,
    FileListQuery,
    FileOut,
    FilesFoundOut,
    ShreddingIn,
)
from apps.files.api.serializers.uploads import DescriptionIn, PassphraseIn, TargetOut, UploadIn
from apps.files.bodies.presigned import disposition_of
from apps.files.life import archive, deleting, shredding
from apps.files.listing import Wanted
from apps.files.reading import answers, content, digests, downloads
from apps.files.reading.answers import Answer
from apps.files.reading.conditions import Conditions
from apps.files.records import File
from apps.files.scopes import FileScope
from apps.files.states import AWAITED
from apps.files.tasks import decrypt_later
from apps.files.uploads import announce
from apps.files.uploads.announce import UploadMethod
from apps.jobs import services as jobs
from apps.jobs.api import has_ended
from apps.jobs.records import JobState

CONDITIONS = {
    "Range": "bytes=first-last",
    "If-Match": "only the content with this ETag",
    "If-None-Match": "304 where the content has this ETag",
    "If-Range": "the range only of the content with this ETag, else all",
}


def has_arrived(file: File) -> bool:
    """Return whether an upload became a document or was refused: nothing of it is waited for."""
    return file.status not in AWAITED


RETRY_SECONDS = 2  # a gigabyte takes one
PASSPHRASE = "X-Passphrase"  # noqa: S105 - the name of a header


class Files(CreatingView):
    """The caller's files; all for callers with the scope owners:all."""

    required_scopes = {"GET": FileScope.READ, "POST": FileScope.WRITE}
    creates = frozenset({"upload"})
    spends = FILE_SPENDS
    looks_first = True  # a multipart upload that was begun for nothing stays for a day

    @extend_schema(parameters=[FileListQuery], responses=FilesFoundOut, operation_id="list_files")
    def get(self, request: Request) -> Response:
        """Files: yours, a group's, or those shared with you; newest first, or by name where a `name_prefix` is given.

        What no index gives (size, attributes other than `find.…`, filters combined) is looked for among 500 files a
        page: `looked_at` says among how many. Such a page may hold fewer than `limit`, or none, and have a next one.
        """

        def fetch(
            *, limit: int, position: Position | None, owner: str | None = None, **filters: Any
        ) -> Page[File]:
            wanted = Wanted(**filters)
            return listing.list_files(
                actor=actor_of(request), limit=limit, position=position, owner=owner, wanted=wanted
            )

        return list_response(
            request,
            FileOut,
            fetch,
            query=FileListQuery,
            salt="files",
            more=lambda page: {"looked_at": page.looked_at},
        )

    @extend_schema(request=UploadIn, responses={200: TargetOut, 201: TargetOut}, operation_id="create_upload")
    def post(self, request: Request) -> Response:
        """Announce an upload; send the bytes as told. Encryption starts when the upload arrives.

        With an `upload_id` the same request may be sent again: 200 answers the file that the first one announced.
        """
        body = parse_body(UploadIn, request)
        if body.get("owner") in caller_of(request).principal.groups:
            quotas.check_owner(body["owner"], self.spends)
        target = announce.announce(actor=actor_of(request), **body)
        return Response(TargetOut(target).data, status=200 if target.repeated else 201)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        method = UploadMethod(result["method"])
        target = announce.announced(result["file_id"], method=method, actor=actor_of(request))
        return Response(TargetOut(target).data, status=201)


class FileDetail(ApiView):
    """One file."""

    required_scopes = {"GET": FileScope.READ, "PATCH": FileScope.WRITE, "DELETE": FileScope.WRITE}
    awaits = frozenset({"GET"})

    @extend_schema(responses=FileOut, operation_id="get_file")
    def get(self, request: Request, file_id: str) -> Response:
        """A file's metadata; ``status`` tells whether it is encrypted yet. `Prefer: wait` waits for that."""
        look = partial(services.find, file_id, actor=actor_of(request))
        return shown(FileOut, self.awaited(look(), look, is_there=has_arrived))

    @extend_schema(request=DescriptionIn, responses=FileOut, operation_id="change_file")
    def patch(self, request: Request, file_id: str) -> Response:
        """Change a file's name, type, attributes (all of them) or lifetime; with `If-Match`, as you read it."""
        described = parse_body(DescriptionIn, request)
        return shown(FileOut, describing.describe(file_id, actor=actor_of(request), **described))

    @extend_schema(responses={200: FileOut}, operation_id="delete_file")
    def delete(self, request: Request, file_id: str) -> Response:
        """Delete a file, which ``restore`` brings back, or an upload that is awaited or was rejected, for good."""
        return shown(FileOut, deleting.delete(file_id, actor=actor_of(request)))


class FileRestoration(ApiView):
    """A deleted or archived file brought back."""

    required_scopes = {"POST": FileScope.WRITE}

    @extend_schema(request=None, responses=FileOut, operation_id="restore_file")
    def post(self, request: Request, file_id: str) -> Response:
        """Bring a deleted file back, or an archived one: from Glacier that takes hours, ``status`` tells."""
        return shown(FileOut, archive.restore(file_id, actor=actor_of(request)))


class FileShredding(ApiView):
    """A deleted file shredded."""

    required_scopes = {"POST": FileScope.SHRED}

    @extend_schema(request=ShreddingIn, responses=FileOut, operation_id="shred_file")
    def post(self, request: Request, file_id: str) -> Response:
        """Destroy the keys and bodies of a deleted file and its versions now. Nothing brings it back."""
        file = shredding.shred(file_id, actor=actor_of(request), **parse_body(ShreddingIn, request))
        return shown(FileOut, file)


class FileContent(ApiView):
    """A small file's bytes, or a part of any file's."""

    required_scopes = {"GET": FileScope.DECRYPT}
    produces = ANYTHING

    @extend_schema(
        parameters=[
            *(
                OpenApiParameter(name, str, OpenApiParameter.HEADER, description=text)
                for name, text in CONDITIONS.items()
            ),
            OpenApiParameter(PASSPHRASE, str, OpenApiParameter.HEADER, description="UTF-8 in base64"),
        ],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
            304: None,
        },
        operation_id="get_content",
    )
    def get(self, request: Request, file_id: str) -> HttpResponse:
        """Decrypt and answer the bytes; for larger files ask for a range or a download. HEAD tells their size."""
        found = answers.answer(
            file_id,
            conditions=Conditions(*(request.headers.get(name) for name in CONDITIONS)),
            limit=settings.STREAMED_DOWNLOAD_BYTES,
            actor=actor_of(request),
            passphrase=_passphrase(request),
            head=request.method == "HEAD",
        )
        return _response(found)


def _passphrase(request: Request) -> str | None:
    """From a header, since a GET has no body; in base64, since a header is ASCII."""
    text = request.headers.get(PASSPHRASE)
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        raise Invalid.of(PASSPHRASE, "UTF-8 in base64") from None


def _response(found: Answer) -> HttpResponse:
    if found.not_modified:
        return HttpResponse(status=304, headers={"ETag": found.etag})
    size = content.size_of(found.file)
    answer = HttpResponse(
        found.content or b"",
        status=206 if found.part else 200,
        content_type=found.file.media_type,
        headers={
            "Content-Disposition": disposition_of(found.file.name),
            "X-Content-Type-Options": "nosniff",
            "Accept-Ranges": "bytes",
            "ETag": found.etag,
        },
    )
    if found.file.content_encoding:
        answer["Content-Encoding"] = found.file.content_encoding
    if found.content is None:
        answer["Content-Length"] = str(size)
    if found.part:
        start, stop = found.part
        answer["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return answer


class FileDigest(ApiView):
    """A file's SHA-256."""

    required_scopes = {"POST": FileScope.DECRYPT}

    @extend_schema(request=PassphraseIn, responses=DigestOut, operation_id="get_digest")
    def post(self, request: Request, file_id: str) -> Response:
        """The SHA-256 of the plaintext; a file with a passphrase needs it."""
        found = digests.sha256_of(file_id, actor=actor_of(request), **parse_body(PassphraseIn, request))
        return Response(DigestOut(found).data)


class FileDownload(ApiView):
    """A file's bytes behind a short-lived URL."""

    required_scopes = {"POST": FileScope.DECRYPT}
    awaits = frozenset({"POST"})

    @extend_schema(
        request=PassphraseIn,
        responses={200: DownloadOut, 201: DownloadOut, 202: DownloadOut},
        operation_id="create_download",
    )
    def post(self, request: Request, file_id: str) -> Response:
        """Decrypt to a short-lived object and answer its presigned URL; 200 where that is there already.

        For a large file 202 names the job that decrypts it: send the same request again until it answers a URL, or
        with `Prefer: wait`.
        """
        asked, actor = parse_body(PassphraseIn, request), actor_of(request)
        download = downloads.publish(file_id, actor=actor, later=decrypt_later, **asked)
        if download.job_id is not None and self.preference.wait:
            look = partial(jobs.find, download.job_id, actor=actor)
            job = self.awaited(look(), look, is_there=has_ended)
            if job.state is JobState.SUCCEEDED:
                download = downloads.publish(file_id, actor=actor, later=decrypt_later, **asked)
        if download.job_id is not None:
            where = address_of("job", download.job_id)
            headers = {"Location": where, "Retry-After": str(RETRY_SECONDS)}
            return Response(DownloadOut(download).data, status=202, headers=headers)
        return Response(DownloadOut(download).data, status=200 if download.found else 201)
