"""The API of messages and data keys."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.quotas import Quota
from apps.access.views import ApiView, CreatingView
from apps.audit.records import Actor
from apps.common.errors import PlatformError
from apps.common.problems import as_problem
from apps.common.serializers import parse_body
from apps.files import messages
from apps.files.api.serializers.messages import (
    DataKeyIn,
    DataKeyOut,
    DecryptBatchIn,
    DecryptIn,
    EncryptBatchIn,
    EncryptIn,
    MessageIn,
    MessageOut,
    MessagesOut,
    PackageOut,
    PackagesOut,
    RewrapBatchIn,
    RewrapIn,
    as_items,
    as_message,
)
from apps.files.scopes import MessageScope
from qkdseal import read_package
from qkdseal.encoding import to_base64
from qkdseal.header import PackageSuite


class Encrypt(CreatingView):
    """A message in, a package out."""

    required_scopes = {"POST": MessageScope.ENCRYPT}
    spends = frozenset({Quota.KEYS})
    creates = frozenset({"message"})

    @extend_schema(request=EncryptIn, responses=PackageOut, operation_id="encrypt_message")
    def post(self, request: Request) -> Response:
        """Encrypt a message under a pool key and a quantum key of its own."""
        body = parse_body(EncryptIn, request)
        compatible = body.pop("suite") is PackageSuite.PQFILE
        make = messages.encrypt_compatible if compatible else messages.encrypt
        package = make(body.pop("message"), actor=actor_of(request), **body)
        return Response({"package": package.to_dict()})

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        body = parse_body(EncryptIn, request)
        bound = _bound(body, "passphrase")
        package = messages.seal_again(result, body["message"], actor=actor_of(request), **bound)
        return Response({"package": package.to_dict()})


class EncryptBatch(CreatingView):
    """Many messages in, a package for each out."""

    required_scopes = {"POST": MessageScope.ENCRYPT}
    spends = frozenset({Quota.KEYS})
    creates = frozenset({"batch"})
    looks_first = True  # a thousand are sealed within a second

    @extend_schema(request=EncryptBatchIn, responses=PackagesOut, operation_id="encrypt_messages")
    def post(self, request: Request) -> Response:
        """Encrypt up to 1,000 messages under one pool key and one quantum key, which is derived for each.

        A message that cannot be read is told in its place; the others are encrypted, all or none.
        """
        body = parse_body(EncryptBatchIn, request)
        read = [_message(one) for one in body.pop("messages")]
        wanted = [one for one in read if isinstance(one, bytes)]
        packages = messages.encrypt_batch(wanted, actor=actor_of(request), **body) if wanted else []
        return Response(as_items(_in_places(read, packages)))

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        body = parse_body(EncryptBatchIn, request)
        read = [_message(one) for one in body["messages"]]
        wanted = [one for one in read if isinstance(one, bytes)]
        packages = messages.seal_batch_again(result, wanted, actor=actor_of(request), **_bound(body))
        return Response(as_items(_in_places(read, packages)))


def _message(given: Mapping[str, Any]) -> bytes | PlatformError:
    checked = MessageIn(data=given)
    try:
        checked.is_valid(raise_exception=True)
    except ValidationError as error:
        return as_problem(error)
    return bytes(checked.validated_data["message"])


def _in_places(
    read: list[bytes | PlatformError], packages: list[Any]
) -> list[dict[str, Any] | PlatformError]:
    """Put each package in the place of its message, among those that could not be read."""
    rest = iter(packages)
    return [one if isinstance(one, PlatformError) else {"package": next(rest).to_dict()} for one in read]


def _bound(body: Mapping[str, Any], *more: str) -> dict[str, Any]:
    return {name: body[name] for name in ("context", *more) if name in body}


class DataKeys(CreatingView):
    """A fresh key, in the clear and in a package."""

    required_scopes = {"POST": MessageScope.ENCRYPT}
    spends = frozenset({Quota.KEYS})
    creates = frozenset({"data key"})

    @extend_schema(request=DataKeyIn, responses={201: DataKeyOut}, operation_id="create_data_key")
    def post(self, request: Request) -> Response:
        """Make a 256-bit data key: encrypt with it locally, keep its package, forget the key.

        `POST /decrypt` with the package gives the key back, to whoever may decrypt it.
        """
        key, package = messages.make_data_key(actor=actor_of(request), **parse_body(DataKeyIn, request))
        return _data_key(package.to_dict(), key)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:
        package = _kept(result)
        bound = _bound(parse_body(DataKeyIn, request), "passphrase")
        return _data_key(package, messages.decrypt(package, actor=actor_of(request), **bound))


class DataKeysWithoutPlaintext(CreatingView):
    """A fresh key, in a package only."""

    required_scopes = {"POST": MessageScope.ENCRYPT}
    spends = frozenset({Quota.KEYS})
    creates = frozenset({"data key"})

    @extend_schema(
        request=DataKeyIn, responses={201: PackageOut}, operation_id="create_data_key_without_plaintext"
    )
    def post(self, request: Request) -> Response:
        """Make a data key for later, or for somebody else: only its package is answered."""
        _, package = messages.make_data_key(actor=actor_of(request), **parse_body(DataKeyIn, request))
        return Response({"package": package.to_dict()}, status=201)

    def answer_again(self, request: Request, result: Mapping[str, Any], **_: Any) -> Response:  # noqa: ARG002 - as declared
        return Response({"package": _kept(result)}, status=201)


def _data_key(package: Mapping[str, Any], key: bytes) -> Response:
    return Response({"package": package, "plaintext_base64": to_base64(key)}, status=201)


def _kept(result: Mapping[str, Any]) -> dict[str, Any]:
    return read_package(result["package"]).to_dict()


class Decrypt(ApiView):
    """A package in, the message out."""

    required_scopes = {"POST": MessageScope.DECRYPT}

    @extend_schema(request=DecryptIn, responses=MessageOut, operation_id="decrypt_message")
    def post(self, request: Request) -> Response:
        """Decrypt a package that encrypt gave to the same caller."""
        body = parse_body(DecryptIn, request)
        plaintext = messages.decrypt(body.pop("package"), actor=actor_of(request), **body)
        return Response(as_message(plaintext))


class DecryptBatch(ApiView):
    """Many packages in, a message for each out."""

    required_scopes = {"POST": MessageScope.DECRYPT}

    @extend_schema(request=DecryptBatchIn, responses=MessagesOut, operation_id="decrypt_messages")
    def post(self, request: Request) -> Response:
        """Decrypt up to 1,000 packages; what does not open is told in its place."""
        packages = parse_body(DecryptBatchIn, request)["packages"]
        opened = messages.decrypt_batch(packages, actor=actor_of(request))
        return Response(as_items([as_message(one) if isinstance(one, bytes) else one for one in opened]))


class Rewrap(ApiView):
    """A package in, the same message's package under another pool key out."""

    required_scopes = {"POST": MessageScope.REWRAP}

    @extend_schema(request=RewrapIn, responses=PackageOut, operation_id="rewrap_message")
    def post(self, request: Request) -> Response:
        """Move a package to a pool key in use, without showing what it says. Keep the new one instead."""
        body = parse_body(RewrapIn, request)
        package = messages.rewrap(body.pop("package"), actor=actor_of(request), **body)
        return Response({"package": package.to_dict()})


class RewrapBatch(ApiView):
    """Packages in, each under another pool key out."""

    required_scopes = {"POST": MessageScope.REWRAP}

    @extend_schema(request=RewrapBatchIn, responses=PackagesOut, operation_id="rewrap_messages")
    def post(self, request: Request) -> Response:
        """Move up to 100 packages; what cannot be moved is told in its place."""
        body = parse_body(RewrapBatchIn, request)
        documents, actor = body.pop("packages"), actor_of(request)
        return Response(as_items([_rewrapped(document, actor, body) for document in documents]))


def _rewrapped(
    document: Mapping[str, Any], actor: Actor, body: Mapping[str, Any]
) -> dict[str, Any] | PlatformError:
    try:
        return {"package": messages.rewrap(document, actor=actor, **body).to_dict()}
    except PlatformError as error:
        return error
