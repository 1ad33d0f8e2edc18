"""The API of custody: transitions of keys, rotations and re-encryption."""

from collections.abc import Callable
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView, shown
from apps.common.lists import ListQuery, list_response, page_of
from apps.common.serializers import parse_body
from apps.custody import reencryption, retirement
from apps.custody.retirement import Retired
from apps.custody.serializers import ReencryptionIn, RetiredKeyOut
from apps.jobs.api import JobStart
from apps.jobs.serializers import JobOut
from apps.keys import lifecycle, rotation
from apps.keys.scopes import KeyScope
from apps.keys.serializers import PoolKeyOut, ReasonIn, RotationOut, TakingAwayIn

KEY = "Its rotation, if it has one, is `rot-<key id>`."


class KeyRetirement(ApiView):
    """A key taken out of use."""

    required_scopes = {"POST": KeyScope.MANAGE}
    retire: ClassVar[Callable[..., Retired]]

    def _retire(self, request: Request, key_id: str) -> Response:
        retired = type(self).retire(key_id, actor=actor_of(request), **parse_body(TakingAwayIn, request))
        return shown(RetiredKeyOut, retired.key, job=retired.job)


class KeyRotation(KeyRetirement):
    """A key that seals nothing more."""

    retire = staticmethod(retirement.rotate)

    @extend_schema(
        request=TakingAwayIn, responses=RetiredKeyOut, operation_id="rotate_pool_key", description=KEY
    )
    def post(self, request: Request, key_id: str) -> Response:
        """Rotate a key: a job moves its files to another, then it expires."""
        return self._retire(request, key_id)


class KeyRevocation(KeyRetirement):
    """A key that may be compromised."""

    retire = staticmethod(retirement.revoke)

    @extend_schema(
        request=TakingAwayIn, responses=RetiredKeyOut, operation_id="revoke_pool_key", description=KEY
    )
    def post(self, request: Request, key_id: str) -> Response:
        """Revoke a key for good: a job moves its files to another."""
        return self._retire(request, key_id)


class KeySuspension(ApiView):
    """A key that neither seals nor opens for now."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=TakingAwayIn, responses=PoolKeyOut, operation_id="suspend_pool_key")
    def post(self, request: Request, key_id: str) -> Response:
        """Suspend a key."""
        body = parse_body(TakingAwayIn, request)
        return shown(PoolKeyOut, lifecycle.suspend(key_id, actor=actor_of(request), **body))


class KeyResumption(ApiView):
    """A suspended key in use again."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=ReasonIn, responses=PoolKeyOut, operation_id="resume_pool_key")
    def post(self, request: Request, key_id: str) -> Response:
        """End a key's suspension."""
        body = parse_body(ReasonIn, request)
        return shown(PoolKeyOut, lifecycle.resume(key_id, actor=actor_of(request), **body))


class Rotations(ApiView):
    """Which keys replace which."""

    required_scopes = {"GET": KeyScope.READ}

    @extend_schema(parameters=[ListQuery], responses=page_of(RotationOut), operation_id="list_rotations")
    def get(self, request: Request) -> Response:
        """Rotations, newest first."""
        return list_response(request, RotationOut, rotation.rotations_page, salt="rotations")


class RotationDetail(ApiView):
    """One rotation."""

    required_scopes = {"GET": KeyScope.READ}

    @extend_schema(responses=RotationOut, operation_id="get_rotation")
    def get(self, request: Request, rotation_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """Old key, new key, status; its job tells how far the files are."""
        return shown(RotationOut, rotation.find(rotation_id))


class RotationResumption(JobStart):
    """A rotation whose job failed or was cancelled."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=None, responses={200: JobOut, 202: JobOut}, operation_id="resume_rotation")
    def post(self, request: Request, rotation_id: str) -> Response:
        """Start a new job that goes on moving the files."""
        job = retirement.start(rotation_id, actor=actor_of(request))
        return self.started(request, job)


class Reencryptions(JobStart):
    """Files under keys that may be compromised."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(
        request=ReencryptionIn, responses={200: JobOut, 202: JobOut}, operation_id="reencrypt_files"
    )
    def post(self, request: Request) -> Response:
        """Re-encrypt files, bodies too: all of a session, of a pool key that no longer seals, of a case, or one document."""
        job = reencryption.start(actor=actor_of(request), **parse_body(ReencryptionIn, request))
        return self.started(request, job)
