"""Messages in and out of the API."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from apps.common.serializers import StrictSerializer, TextField
from apps.files.api.serializers.fields import Base64Field
from apps.sessions.serializers import StockField
from qkdseal.header import PackageSuite
from qkdseal.package import MESSAGE_LIMIT


def message_limit() -> int:
    """Bytes of a message: half of a body, so that its package in base64 can be sent back to be decrypted."""
    return min(MESSAGE_LIMIT, settings.REQUEST_BODY_MAX_BYTES // 2)


class EncryptIn(StrictSerializer):
    """A message as text, or as bytes in base64."""

    plaintext = TextField(required=False, allow_blank=True, trim_whitespace=False)
    plaintext_base64 = Base64Field(required=False, allow_blank=True)
    session_id = TextField(required=False, max_length=64)
    stock = StockField()
    context = TextField(  # type: ignore[assignment]  # DRF keeps declared fields apart from its own attribute
        required=False, allow_blank=True, max_length=4096, trim_whitespace=False
    )
    passphrase = TextField(required=False, min_length=8, max_length=1024, trim_whitespace=False)
    suite = serializers.ChoiceField(
        choices=[(suite.value, suite.value) for suite in PackageSuite], default=PackageSuite.HYBRID
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("plaintext" in attrs) == ("plaintext_base64" in attrs):
            raise serializers.ValidationError(
                {"plaintext": "give exactly one of plaintext and plaintext_base64"}
            )
        text, binary = attrs.pop("plaintext", None), attrs.pop("plaintext_base64", b"")
        # DRF gives "" for a blank field, whatever its type
        attrs["message"] = (binary or b"") if text is None else text.encode()
        limit = message_limit()
        if len(attrs["message"]) > limit:
            raise serializers.ValidationError(
                {"plaintext": f"at most {limit} bytes; what is larger is uploaded as a file"}
            )
        attrs["suite"] = PackageSuite(attrs["suite"])
        if attrs["suite"] is PackageSuite.PQFILE and "passphrase" in attrs:
            raise serializers.ValidationError({"passphrase": "not in the compatibility suite"})
        return attrs


class PackageOut(serializers.Serializer[Any]):
    """An encrypted message; keep all of it."""

    package = serializers.DictField()


class DecryptIn(StrictSerializer):
    """A package that encrypt gave."""

    package = serializers.DictField()
    context = TextField(  # type: ignore[assignment]  # DRF keeps declared fields apart from its own attribute
        required=False, allow_blank=True, max_length=4096, trim_whitespace=False
    )
    passphrase = TextField(required=False, min_length=1, max_length=1024, trim_whitespace=False)


class MessageOut(serializers.Serializer[Any]):
    """The message; ``plaintext`` is null where the bytes are not UTF-8."""

    plaintext = serializers.CharField(allow_null=True)
    plaintext_base64 = serializers.CharField()
