"""Messages in and out of the API."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.validators import ProhibitNullCharactersValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.common.errors import PlatformError
from apps.common.problems import document as problem_document
from apps.common.schema import PROBLEM
from apps.common.serializers import StrictSerializer, TextField
from apps.files.api.serializers.fields import Base64Field, PassphraseField
from apps.files.messages import BATCH_MESSAGES, Sealed
from apps.sessions.serializers import StockField
from qkdseal.contexts import CONTEXT_LIMIT, PAIRS_LIMIT, canonical_context
from qkdseal.encoding import to_base64
from qkdseal.header import PackageSuite
from qkdseal.package import MESSAGE_LIMIT

KEY = "name or alias of the named key (pool) to seal to; without it, the caller's own, else that of messages"
PACKAGE_SUITES = [(suite.value, suite.value) for suite in PackageSuite]
_PAIRS = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": PAIRS_LIMIT,
    "additionalProperties": {"type": "string"},
}


def message_limit() -> int:
    """Bytes of a message: half of a body, so that its package in base64 can be sent back to be decrypted."""
    return min(MESSAGE_LIMIT, settings.REQUEST_BODY_MAX_BYTES // 2)


class MessageField(TextField):
    """Text of any characters: it is not stored, but encrypted as bytes like any other."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators = [
            one for one in self.validators if not isinstance(one, ProhibitNullCharactersValidator)
        ]


@extend_schema_field(
    {
        "oneOf": [{"type": "string", "maxLength": CONTEXT_LIMIT}, _PAIRS],
        "description": "Bound, not secret, not stored: needed again to decrypt. A text, or pairs of texts, which mean "
        "their canonical form: compact ASCII JSON with sorted names.",
    }
)
class ContextField(TextField):
    """A text, or pairs of texts, which it brings into their canonical form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_blank=True, max_length=CONTEXT_LIMIT, trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)
        try:
            return canonical_context(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # The base class looks whether a value is blank, as text, before it is read
        return self.to_internal_value(data) if isinstance(data, Mapping) else super().run_validation(data)


class MessageIn(StrictSerializer):
    """A message as text, or as bytes in base64: exactly one of them."""

    EXACTLY_ONE = ("plaintext", "plaintext_base64")

    plaintext = MessageField(required=False, allow_blank=True, trim_whitespace=False)
    plaintext_base64 = Base64Field(required=False, allow_blank=True)

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
        return attrs


class KeysIn(StrictSerializer):
    """The keys that something is encrypted under."""

    session_id = TextField(required=False, max_length=64)
    stock = StockField()
    key = TextField(required=False, max_length=32, source="pool", help_text=KEY)
    context = ContextField(required=False)  # type: ignore[assignment]  # DRF keeps declared fields apart


class EncryptIn(MessageIn, KeysIn):
    """A message, and the keys that it is encrypted under."""

    EXAMPLES = (
        {"plaintext": "hello"},
        {"plaintext_base64": "aGVsbG8=", "context": {"tenant": "acme", "purpose": "invoice"}},
    )

    passphrase = PassphraseField(min_length=8)
    suite = serializers.ChoiceField(choices=PACKAGE_SUITES, default=PackageSuite.HYBRID)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        attrs["suite"] = PackageSuite(attrs["suite"])
        if attrs["suite"] is PackageSuite.PQFILE and "passphrase" in attrs:
            raise serializers.ValidationError({"passphrase": "not in the compatibility suite"})
        return attrs


class EncryptBatchIn(KeysIn):
    """Many messages, encrypted under one pool key and one quantum key; each package opens alone."""

    EXAMPLES = ({"messages": [{"plaintext": "one"}, {"plaintext_base64": "dHdv"}]},)

    messages = serializers.ListField(
        child=serializers.DictField(),
        min_length=1,
        max_length=BATCH_MESSAGES,
        help_text="each with plaintext or plaintext_base64",
    )


class DataKeyIn(KeysIn):
    """The keys that a data key is encrypted under."""

    EXAMPLES = ({}, {"context": "backup of 2026-11-26"})

    passphrase = PassphraseField(min_length=8)


class PackageOut(serializers.Serializer[Any]):
    """An encrypted message; keep all of it."""

    package = serializers.DictField()


class DataKeyOut(PackageOut):
    """A fresh 256-bit key, and the package to keep in its place; decrypt gives it back."""

    plaintext_base64 = serializers.CharField(help_text="the key, 32 bytes: use it locally, then forget it")


class DecryptIn(StrictSerializer):
    """A package that encrypt gave."""

    package = serializers.DictField()
    context = ContextField(required=False)  # type: ignore[assignment]  # DRF keeps declared fields apart
    passphrase = PassphraseField()


class DecryptBatchIn(StrictSerializer):
    """Packages, each with its context and passphrase."""

    packages = serializers.ListField(child=DecryptIn(), min_length=1, max_length=BATCH_MESSAGES)

    def validate_packages(self, value: list[dict[str, Any]]) -> list[Sealed]:
        """Take each as what is to be opened."""
        return [Sealed(one["package"], one.get("context"), one.get("passphrase")) for one in value]


class RewrapIn(StrictSerializer):
    """A package that moves to another pool key."""

    package = serializers.DictField()
    key = TextField(required=False, max_length=32, source="pool", help_text=KEY)


class RewrapBatchIn(StrictSerializer):
    """Packages that move to a pool key."""

    packages = serializers.ListField(
        child=serializers.DictField(), min_length=1, max_length=100, help_text="each a package"
    )
    key = TextField(required=False, max_length=32, source="pool", help_text=KEY)


class MessageOut(serializers.Serializer[Any]):
    """The message; ``plaintext`` is null where the bytes are not UTF-8."""

    plaintext = serializers.CharField(allow_null=True)
    plaintext_base64 = serializers.CharField()


@extend_schema_field(PROBLEM)
class ProblemField(serializers.Field[Any, Any, Any, Any]):
    """Why one of several was not done: a problem document."""


class PackageItemOut(serializers.Serializer[Any]):
    """One message's package, or why it has none."""

    package = serializers.DictField(required=False)
    error = ProblemField(required=False)


class MessageItemOut(serializers.Serializer[Any]):
    """One package's message, or why it does not open."""

    plaintext = serializers.CharField(allow_null=True, required=False)
    plaintext_base64 = serializers.CharField(required=False)
    error = ProblemField(required=False)


class PackagesOut(serializers.Serializer[Any]):
    """What became of each, in the order given."""

    items = PackageItemOut(many=True)
    failed = serializers.IntegerField(help_text="how many have an error")


class MessagesOut(serializers.Serializer[Any]):
    """What became of each, in the order given."""

    items = MessageItemOut(many=True)
    failed = serializers.IntegerField(help_text="how many have an error")


def as_message(plaintext: bytes) -> dict[str, Any]:
    """A message as it is answered."""
    try:
        text: str | None = plaintext.decode()
    except UnicodeDecodeError:
        text = None
    return {"plaintext": text, "plaintext_base64": to_base64(plaintext)}


def as_items(found: list[dict[str, Any] | PlatformError]) -> dict[str, Any]:
    """What became of each of several, as it is answered."""
    items = [{"error": problem_document(one)} if isinstance(one, PlatformError) else one for one in found]
    return {"items": items, "failed": sum("error" in item for item in items)}
