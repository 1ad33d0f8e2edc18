"""The API of shared files, and of the way out."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import grants
from apps.access.authentication import actor_of
from apps.access.views import ApiView, CreatingView
from apps.common.lists import ListQuery, list_response, page_of
from apps.common.serializers import parse_body
from apps.files import sharing
from apps.files.api.serializers.files import PackageFileOut
from apps.files.api.serializers.grants import FileGrantIn, FileGrantOut, RevokedFileGrantOut
from apps.files.reading import packages
from apps.files.scopes import FileScope


class FileGrants(CreatingView):
    """Whom a file is shared with."""

    required_scopes = {"GET": FileScope.READ, "POST": FileScope.WRITE}
    creates = frozenset({"grant"})

    @extend_schema(parameters=[ListQuery], responses=page_of(FileGrantOut), operation_id="list_file_grants")
    def get(self, request: Request, file_id: str) -> Response:
        """Whom a file of yours is shared with, newest first."""
        fetch = partial(sharing.shared_with, file_id, actor=actor_of(request))
        return list_response(request, FileGrantOut, fetch, salt=f"grants {file_id}")

    @extend_schema(request=FileGrantIn, responses={201: FileGrantOut}, operation_id="share_file")
    def post(self, request: Request, file_id: str) -> Response:
        """Share a file of yours, its versions too; shared with the same again, the grant is replaced."""
        grant = sharing.share(file_id, actor=actor_of(request), **parse_body(FileGrantIn, request))
        return Response(FileGrantOut(grant).data, status=201)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        grant = grants.find(result["grant_id"], actor=actor_of(request))
        return Response(FileGrantOut(grant).data, status=201)


class FileGrant(ApiView):
    """One grant on a file."""

    required_scopes = {"DELETE": FileScope.WRITE}

    @extend_schema(responses={200: RevokedFileGrantOut}, operation_id="unshare_file")
    def delete(self, request: Request, file_id: str, grantee: str) -> Response:
        """Take a grant back; it ends at once."""
        sharing.unshare(file_id, grantee=grantee, actor=actor_of(request))
        return Response(RevokedFileGrantOut({"grantee": grantee}).data)


class FilePackage(ApiView):
    """What is stored of a file."""

    required_scopes = {"GET": FileScope.DECRYPT}

    @extend_schema(responses=PackageFileOut, operation_id="get_package")
    def get(self, request: Request, file_id: str) -> Response:
        """A file's envelope, and the URL of its ciphertext: with the two keys, `qkdseal` alone opens them."""
        return Response(PackageFileOut(packages.package_of(file_id, actor=actor_of(request))).data)
