"""The API of files."""

import base64
from functools import partial

from django.conf import settings
from django.http import HttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView
from apps.common.errors import Invalid
from apps.common.lists import list_response, page_of
from apps.common.serializers import parse_body
from apps.files import services
from apps.files.api.serializers.files import DigestOut, DownloadOut, FileListQuery, FileOut
from apps.files.api.serializers.uploads import PassphraseIn, TargetOut, UploadIn
from apps.files.life import archive
from apps.files.reading import content, digests, downloads
from apps.files.scopes import FileScope
from apps.files.uploads import announce

PASSPHRASE = "X-Passphrase"  # noqa: S105 - the name of a header


class Files(ApiView):
    """The caller's files; all for callers with the scope owners:all."""

    required_scopes = {"GET": FileScope.READ, "POST": FileScope.WRITE}

    @extend_schema(parameters=[FileListQuery], responses=page_of(FileOut), operation_id="list_files")
    def get(self, request: Request) -> Response:
        """Files, newest first: yours, a group's, or those shared with you; filter by document type."""
        fetch = partial(services.list_files, actor=actor_of(request))
        return list_response(request, FileOut, fetch, query=FileListQuery, salt="files")

    @extend_schema(request=UploadIn, responses={201: TargetOut}, operation_id="create_upload")
    def post(self, request: Request) -> Response:
        """Announce an upload; send the bytes as told. Encryption starts when the upload arrives."""
        target = announce.announce(actor=actor_of(request), **parse_body(UploadIn, request))
        return Response(TargetOut(target).data, status=201)


class FileDetail(ApiView):
    """One file."""

    required_scopes = {"GET": FileScope.READ, "DELETE": FileScope.WRITE}

    @extend_schema(responses=FileOut, operation_id="get_file")
    def get(self, request: Request, file_id: str) -> Response:
        """A file's metadata; ``status`` tells whether it is encrypted yet."""
        return Response(FileOut(services.find(file_id, actor=actor_of(request))).data)

    @extend_schema(responses={200: FileOut}, operation_id="delete_file")
    def delete(self, request: Request, file_id: str) -> Response:
        """Delete a file; ``restore`` brings it back."""
        return Response(FileOut(services.delete(file_id, actor=actor_of(request))).data)


class FileRestoration(ApiView):
    """A deleted or archived file brought back."""

    required_scopes = {"POST": FileScope.WRITE}

    @extend_schema(request=None, responses=FileOut, operation_id="restore_file")
    def post(self, request: Request, file_id: str) -> Response:
        """Bring a deleted file back, or an archived one: from Glacier that takes hours, ``status`` tells."""
        return Response(FileOut(archive.restore(file_id, actor=actor_of(request))).data)


class FileContent(ApiView):
    """A small file's bytes, or a part of any file's."""

    required_scopes = {"GET": FileScope.DECRYPT}

    @extend_schema(
        parameters=[
            OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="bytes=first-last"),
            OpenApiParameter(PASSPHRASE, str, OpenApiParameter.HEADER, description="UTF-8 in base64"),
        ],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
        },
        operation_id="get_content",
    )
    def get(self, request: Request, file_id: str) -> HttpResponse:
        """Decrypt and answer the bytes; for larger files ask for a range or a download."""
        found = content.answer(
            file_id,
            wanted=request.headers.get("Range"),
            limit=settings.STREAMED_DOWNLOAD_BYTES,
            actor=actor_of(request),
            passphrase=_passphrase(request),
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


def _response(found: content.Answer) -> HttpResponse:
    disposition = content_disposition_header(as_attachment=True, filename=found.file.name)
    answer = HttpResponse(
        found.content,
        status=206 if found.part else 200,
        content_type=found.file.media_type,
        headers={
            "Content-Disposition": disposition or "",
            "X-Content-Type-Options": "nosniff",
            "Accept-Ranges": "bytes",
        },
    )
    if found.part:
        start, stop = found.part
        answer["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size_of(found.file)}"
    return answer


class FileDigest(ApiView):
    """A file's SHA-256."""

    required_scopes = {"POST": FileScope.DECRYPT}

    @extend_schema(request=PassphraseIn, responses=DigestOut, operation_id="get_digest")
    def post(self, request: Request, file_id: str) -> Response:
        """The SHA-256 of the plaintext; a file with a passphrase needs it."""
        found = digests.sha256_of(file_id, actor=actor_of(request), **parse_body(PassphraseIn, request))
        return Response(DigestOut({"sha256": found}).data)


class FileDownload(ApiView):
    """A file's bytes behind a short-lived URL."""

    required_scopes = {"POST": FileScope.DECRYPT}

    @extend_schema(request=PassphraseIn, responses={201: DownloadOut}, operation_id="create_download")
    def post(self, request: Request, file_id: str) -> Response:
        """Decrypt to a short-lived object and answer its presigned URL."""
        download = downloads.publish(file_id, actor=actor_of(request), **parse_body(PassphraseIn, request))
        return Response(DownloadOut(download).data, status=201)
