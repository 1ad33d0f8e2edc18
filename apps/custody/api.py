"""The API of custody: moves of keys, rotations, and what needs four eyes."""

from collections.abc import Callable
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView
from apps.audit.records import Actor
from apps.common.lists import ListQuery, listed, page_of
from apps.common.serializers import parsed
from apps.custody import tasks
from apps.custody.serializers import ReencryptionIn
from apps.jobs.serializers import JobOut
from apps.keys import lifecycle, rotation, services
from apps.keys.records import ROTATED, PoolKey, RotationNotFound, rotation_id_of
from apps.keys.scopes import KeyScope
from apps.keys.serializers import PoolKeyOut, ReasonIn, RotationOut

KEY = "Its rotation, if it has one, is `rot-<key id>`."


class KeyMove(ApiView):
    """One move of a key along the state diagram."""

    required_scopes = {"POST": KeyScope.MANAGE}
    move: ClassVar[Callable[..., PoolKey]]

    def _moved(self, request: Request, key_id: str) -> Response:
        actor, reason = actor_of(request), parsed(ReasonIn, request)["reason"]
        key = type(self).move(key_id, reason=reason, actor=actor)
        if key.state in ROTATED:
            _start(key, actor)
        return Response(PoolKeyOut(key).data)


def _start(key: PoolKey, actor: Actor) -> None:
    """Start moving the key's files at once; the sweep would within minutes."""
    try:
        found = rotation.find(rotation_id_of(key.key_id))
    except RotationNotFound:  # it was never active
        return
    if found.job_id is None:
        tasks.rewrap_later(found, actor=actor)


class KeyRotation(KeyMove):
    """A key that seals nothing more."""

    move = staticmethod(services.queue_rotation)

    @extend_schema(request=ReasonIn, responses=PoolKeyOut, operation_id="rotate_pool_key", description=KEY)
    def post(self, request: Request, key_id: str) -> Response:
        """Rotate a key: a job moves its files to another, then it expires."""
        return self._moved(request, key_id)


class KeyRevocation(KeyMove):
    """A key that counts as compromised."""

    move = staticmethod(services.revoke)

    @extend_schema(request=ReasonIn, responses=PoolKeyOut, operation_id="revoke_pool_key", description=KEY)
    def post(self, request: Request, key_id: str) -> Response:
        """Revoke a key for good: a job moves its files to another."""
        return self._moved(request, key_id)


class KeySuspension(KeyMove):
    """A key that neither seals nor opens for now."""

    move = staticmethod(lifecycle.suspend)

    @extend_schema(request=ReasonIn, responses=PoolKeyOut, operation_id="suspend_pool_key")
    def post(self, request: Request, key_id: str) -> Response:
        """Suspend a key."""
        return self._moved(request, key_id)


class KeyResumption(KeyMove):
    """A suspended key in use again."""

    move = staticmethod(lifecycle.resume)

    @extend_schema(request=ReasonIn, responses=PoolKeyOut, operation_id="resume_pool_key")
    def post(self, request: Request, key_id: str) -> Response:
        """End a key's suspension."""
        return self._moved(request, key_id)


class KeyActivation(KeyMove):
    """An imported key put to use."""

    move = staticmethod(lifecycle.activate)

    @extend_schema(request=ReasonIn, responses=PoolKeyOut, operation_id="activate_pool_key")
    def post(self, request: Request, key_id: str) -> Response:
        """Activate an imported key."""
        return self._moved(request, key_id)


class Rotations(ApiView):
    """What replaces what."""

    required_scopes = {"GET": KeyScope.READ}

    @extend_schema(parameters=[ListQuery], responses=page_of(RotationOut), operation_id="list_rotations")
    def get(self, request: Request) -> Response:
        """Rotations, newest first."""
        return listed(request, RotationOut, rotation.listed, salt="rotations")


class RotationDetail(ApiView):
    """One rotation."""

    required_scopes = {"GET": KeyScope.READ}

    @extend_schema(responses=RotationOut, operation_id="get_rotation")
    def get(self, request: Request, rotation_id: str) -> Response:  # noqa: ARG002 - Django's signature
        """Old key, new key, status; its job tells how far the files are."""
        return Response(RotationOut(rotation.find(rotation_id)).data)


class RotationResumption(ApiView):
    """A rotation whose job failed or was cancelled."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=None, responses={202: JobOut}, operation_id="resume_rotation")
    def post(self, request: Request, rotation_id: str) -> Response:
        """Go on moving files, by a new job."""
        job = tasks.rewrap_later(rotation.find(rotation_id), actor=actor_of(request))
        return Response(JobOut(job).data, status=202)


class Reencryptions(ApiView):
    """Files under keys that count as known."""

    required_scopes = {"POST": KeyScope.MANAGE}

    @extend_schema(request=ReencryptionIn, responses={202: JobOut}, operation_id="reencrypt_files")
    def post(self, request: Request) -> Response:
        """Encrypt files anew, bodies too: all of a session, of a pool key that no longer seals, or one document."""
        job = tasks.reencrypt_later(actor=actor_of(request), **parsed(ReencryptionIn, request))
        return Response(JobOut(job).data, status=202)
