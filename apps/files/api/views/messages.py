"""The API of messages."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.authentication import actor_of
from apps.access.views import ApiView
from apps.common.serializers import parse_body
from apps.files import messages
from apps.files.api.serializers.messages import DecryptIn, EncryptIn, MessageOut, PackageOut
from apps.files.scopes import MessageScope
from qkdseal.encoding import to_base64
from qkdseal.header import PackageSuite


class Encrypt(ApiView):
    """A message in, a package out."""

    required_scopes = {"POST": MessageScope.ENCRYPT}

    @extend_schema(request=EncryptIn, responses=PackageOut, operation_id="encrypt_message")
    def post(self, request: Request) -> Response:
        """Encrypt a message under a pool key and a quantum key of its own."""
        body = parse_body(EncryptIn, request)
        compatible = body.pop("suite") is PackageSuite.PQFILE
        make = messages.encrypt_compatible if compatible else messages.encrypt
        package = make(body.pop("message"), actor=actor_of(request), **body)
        return Response(PackageOut({"package": package.to_dict()}).data)


class Decrypt(ApiView):
    """A package in, the message out."""

    required_scopes = {"POST": MessageScope.DECRYPT}

    @extend_schema(request=DecryptIn, responses=MessageOut, operation_id="decrypt_message")
    def post(self, request: Request) -> Response:
        """Decrypt a package that encrypt gave to the same caller."""
        body = parse_body(DecryptIn, request)
        plaintext = messages.decrypt(body.pop("package"), actor=actor_of(request), **body)
        return Response(
            MessageOut({"plaintext": _text(plaintext), "plaintext_base64": to_base64(plaintext)}).data
        )


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
