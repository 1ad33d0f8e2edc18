"""The API of files."""

from functools import partial

from django.conf import settings
from django.http import HttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.records import Scope
from apps.access.views import ApiView
from apps.common.errors import Refused
from apps.common.lists import listed, page_of
from apps.common.serializers import parsed
from apps.files import services
from apps.files.serializers import DownloadOut, FileIn, FileListQuery, FileOut, UploadOut


class Files(ApiView):
    """The caller's files, or all for who sees all."""

    required_scopes = {"GET": Scope.FILES_READ, "POST": Scope.FILES_WRITE}

    @extend_schema(parameters=[FileListQuery], responses=page_of(FileOut), operation_id="list_files")
    def get(self, request: Request) -> Response:
        """Files, newest first, of one document type if asked."""
        fetch = partial(services.listed, actor=actor_of(request))
        return listed(request, FileOut, fetch, query=FileListQuery, salt="files")

    @extend_schema(request=FileIn, responses={201: UploadOut}, operation_id="create_upload")
    def post(self, request: Request) -> Response:
        """Announce an upload; PUT the bytes to ``upload_url``, and they are encrypted without further ado."""
        upload = services.register(actor=actor_of(request), **parsed(FileIn, request))
        return Response(UploadOut(upload).data, status=201)


class FileDetail(ApiView):
    """One file."""

    required_scopes = {"GET": Scope.FILES_READ, "DELETE": Scope.FILES_WRITE}

    @extend_schema(responses=FileOut, operation_id="get_file")
    def get(self, request: Request, file_id: str) -> Response:
        """A file's metadata; ``status`` tells whether it is encrypted yet."""
        return Response(FileOut(services.find(file_id, actor=actor_of(request))).data)

    @extend_schema(responses={200: FileOut}, operation_id="delete_file")
    def delete(self, request: Request, file_id: str) -> Response:
        """Delete a file; ``restore`` brings it back."""
        return Response(FileOut(services.delete(file_id, actor=actor_of(request))).data)


class FileRestoration(ApiView):
    """A deleted file brought back."""

    required_scopes = {"POST": Scope.FILES_WRITE}

    @extend_schema(request=None, responses=FileOut, operation_id="restore_file")
    def post(self, request: Request, file_id: str) -> Response:
        """Bring a deleted file back."""
        return Response(FileOut(services.restore(file_id, actor=actor_of(request))).data)


class FileContent(ApiView):
    """A small file's bytes."""

    required_scopes = {"GET": Scope.FILES_DECRYPT}

    @extend_schema(
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY}, operation_id="get_content"
    )
    def get(self, request: Request, file_id: str) -> HttpResponse:
        """Decrypt and answer the bytes; for larger files ask for a download."""
        actor = actor_of(request)
        limit, size = settings.STREAMED_DOWNLOAD_BYTES, services.find(file_id, actor=actor).size or 0
        if size > limit:
            raise Refused(
                f"The file has {size} bytes, more than the {limit} answered here: POST …/download instead."
            )
        file, plaintext = services.read(file_id, actor=actor)
        # All of it first: a damaged body is a problem document then, not an answer that breaks off
        return HttpResponse(
            services.whole(plaintext),
            content_type=file.media_type,
            headers={
                "Content-Disposition": content_disposition_header(as_attachment=True, filename=file.name)
                or "",
                "X-Content-Type-Options": "nosniff",
            },
        )


class FileDownload(ApiView):
    """A file's bytes behind a short-lived URL."""

    required_scopes = {"POST": Scope.FILES_DECRYPT}

    @extend_schema(request=None, responses={201: DownloadOut}, operation_id="create_download")
    def post(self, request: Request, file_id: str) -> Response:
        """Decrypt to a short-lived object and answer its presigned URL."""
        return Response(DownloadOut(services.publish(file_id, actor=actor_of(request))).data, status=201)
