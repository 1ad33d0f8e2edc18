"""The API of uploads in parts, versions, the archive, and files that the client encrypts."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import quotas
from apps.access.authentication import actor_of, caller_of
from apps.access.quotas import FILE_SPENDS
from apps.access.views import ApiView, CreatingView, shown
from apps.common.lists import ListQuery, list_response, page_of
from apps.common.serializers import parse_body
from apps.files import services
from apps.files.api.serializers.files import FileOut
from apps.files.api.serializers.uploads import (
    ArchiveIn,
    CompletionIn,
    FileKeyOut,
    FinishIn,
    LocalFileIn,
    LocalTargetOut,
    PartsIn,
    PartsOut,
    PartUrlsOut,
    PassphraseIn,
    ReplacementIn,
    TargetOut,
)
from apps.files.api.views.documents import has_arrived
from apps.files.life import archive, versions
from apps.files.reading import client_keys
from apps.files.records import StorageClass
from apps.files.scopes import FileScope
from apps.files.tasks import check_later
from apps.files.uploads import announce, client_side, giving_up, parts
from apps.files.uploads.announce import UploadMethod


class FileParts(ApiView):
    """The parts of an upload."""

    required_scopes = {"GET": FileScope.WRITE, "POST": FileScope.WRITE}

    @extend_schema(responses=PartsOut, operation_id="list_parts")
    def get(self, request: Request, file_id: str) -> Response:
        """The parts that have arrived: what an interrupted upload need not send again."""
        return Response(PartsOut({"parts": parts.uploaded_parts(file_id, actor=actor_of(request))}).data)

    @extend_schema(request=PartsIn, responses=PartUrlsOut, operation_id="create_part_urls")
    def post(self, request: Request, file_id: str) -> Response:
        """URLs to which parts can be PUT for a short time; all but the last have ``part_bytes`` bytes."""
        numbers = parse_body(PartsIn, request)["numbers"]
        urls = parts.part_urls(file_id, numbers, actor=actor_of(request))
        return Response(PartUrlsOut({"parts": [{"number": n, "url": url} for n, url in urls]}).data)


class FileCompletion(ApiView):
    """The end of an upload in parts."""

    required_scopes = {"POST": FileScope.WRITE}
    awaits = frozenset({"POST"})

    @extend_schema(
        request=CompletionIn, responses={200: FileOut, 202: FileOut}, operation_id="complete_upload"
    )
    def post(self, request: Request, file_id: str) -> Response:
        """Join the parts. Idempotent. With `Prefer: wait` 200 says that it is encrypted, 202 that it is not yet."""
        actor = actor_of(request)
        file = parts.complete(file_id, actor=actor, **parse_body(CompletionIn, request))
        file = self.awaited(file, partial(services.find, file_id, actor=actor), is_there=has_arrived)
        still = self.preference.is_given and not has_arrived(file)
        return Response(FileOut(file).data, status=202 if still else 200)


class FileAbortion(ApiView):
    """An upload given up."""

    required_scopes = {"POST": FileScope.WRITE}

    @extend_schema(request=None, responses=FileOut, operation_id="abort_upload")
    def post(self, request: Request, file_id: str) -> Response:
        """Give up an announced upload; parts that have arrived are removed."""
        return Response(FileOut(giving_up.abort(file_id, actor=actor_of(request))).data)


class FileVersions(CreatingView):
    """The versions of a document."""

    required_scopes = {"GET": FileScope.READ, "POST": FileScope.WRITE}
    creates = frozenset({"upload"})
    spends = FILE_SPENDS
    looks_first = True

    @extend_schema(parameters=[ListQuery], responses=page_of(FileOut), operation_id="list_versions")
    def get(self, request: Request, file_id: str) -> Response:
        """What a document was before, newest first; each is read under its own ``file_id``."""
        fetch = partial(versions.earlier_versions, file_id, actor=actor_of(request))
        return list_response(request, FileOut, fetch, salt=f"versions {file_id}")

    @extend_schema(
        request=ReplacementIn, responses={200: TargetOut, 201: TargetOut}, operation_id="replace_file"
    )
    def post(self, request: Request, file_id: str) -> Response:
        """Announce the next version; it takes the document's place once it is encrypted. With `upload_id`: once."""
        caller, body = caller_of(request), parse_body(ReplacementIn, request)

        def admit(owner: str) -> None:
            if (
                owner != caller.principal.principal_id
            ):  # it counts for them; the caller's own was looked at before
                quotas.check_owner(owner, self.spends)

        target = announce.announce_version(file_id, actor=actor_of(request), admit=admit, **body)
        return Response(TargetOut(target).data, status=200 if target.repeated else 201)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        method = UploadMethod(result["method"])
        target = announce.announced(result["file_id"], method=method, actor=actor_of(request))
        return Response(TargetOut(target).data, status=201)


class FileArchive(ApiView):
    """A file moved to cold storage."""

    required_scopes = {"POST": FileScope.WRITE}

    @extend_schema(request=ArchiveIn, responses=FileOut, operation_id="archive_file")
    def post(self, request: Request, file_id: str) -> Response:
        """Move a file to a cold storage class; ``restore`` brings it back."""
        storage_class = StorageClass(parse_body(ArchiveIn, request)["storage_class"])
        file = archive.archive(file_id, storage_class=storage_class, actor=actor_of(request))
        return shown(FileOut, file)


class LocalFiles(CreatingView):
    """Files that the client encrypts."""

    required_scopes = {"POST": frozenset({FileScope.WRITE, FileScope.KEY})}
    creates = frozenset({"local upload"})
    looks_first = True
    spends = FILE_SPENDS

    @extend_schema(
        request=LocalFileIn,
        responses={200: LocalTargetOut, 201: LocalTargetOut},
        operation_id="create_local_upload",
    )
    def post(self, request: Request) -> Response:
        """Announce a file that you encrypt yourself: its key, and where to send the body. Then finish it.

        With an `upload_id` the same request may be sent again, and is given the same key.
        """
        target, secret = client_side.announce(actor=actor_of(request), **parse_body(LocalFileIn, request))
        status = 200 if target.repeated else 201
        return Response(LocalTargetOut({"upload": target, "secret": secret}).data, status=status)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        passphrase = parse_body(LocalFileIn, request).get("passphrase")
        method, actor = UploadMethod(result["method"]), actor_of(request)
        target, secret = client_side.announced(
            result["file_id"], method=method, passphrase=passphrase, actor=actor
        )
        return Response(LocalTargetOut({"upload": target, "secret": secret}).data, status=201)


class LocalFinish(ApiView):
    """A body that the client has uploaded."""

    required_scopes = {"POST": frozenset({FileScope.WRITE, FileScope.KEY})}

    @extend_schema(request=FinishIn, responses=FileOut, operation_id="finish_local_upload")
    def post(self, request: Request, file_id: str) -> Response:
        """Check an uploaded body and acknowledge it. Idempotent."""
        told = parse_body(FinishIn, request)
        file = client_side.finish(file_id, actor=actor_of(request), later=check_later, **told)
        return Response(FileOut(file).data)


class FileSecret(ApiView):
    """A file's key."""

    required_scopes = {"POST": FileScope.KEY}

    @extend_schema(request=PassphraseIn, responses=FileKeyOut, operation_id="release_file_key")
    def post(self, request: Request, file_id: str) -> Response:
        """The key of one file and the URL of its ciphertext, to decrypt it yourself."""
        secret = client_keys.release_key(
            file_id, actor=actor_of(request), **parse_body(PassphraseIn, request)
        )
        return Response(FileKeyOut(secret).data)
