"""Uploads, versions, archive and file keys in and out of the API."""

import re
from typing import Any

from django.conf import settings
from rest_framework import serializers

from apps.common.serializers import PatternField, StrictSerializer, TextField, WholeField
from apps.files.api.serializers.fields import Base64Field, FutureField, PassphraseField
from apps.files.api.serializers.files import (
    DOCUMENT_TYPE,
    OWNER,
    AttributesField,
    FileIn,
    FileOut,
    check_name,
    check_path,
)
from apps.files.attributes import MEDIA_TYPE
from apps.files.records import StorageClass
from apps.files.uploads.announce import UploadMethod
from apps.files.uploads.parts import MAX_PARTS, URLS_AT_ONCE
from apps.sessions.serializers import StockField

UPLOAD_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")
SHA256 = re.compile(r"^[0-9a-f]{64}$")


def _choices(enum: Any) -> list[tuple[str, str]]:
    return [(item.value, item.value) for item in enum]


class UploadIdField(PatternField):
    """An id of the client's own for one upload."""

    def __init__(self, **kwargs: Any) -> None:
        text = "an id that you choose; the same request under it may be sent again, and makes one file"
        super().__init__(UPLOAD_ID, required=False, help_text=text, **kwargs)


class MethodField(serializers.ChoiceField):
    """An upload method by its name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=_choices(UploadMethod), default=UploadMethod.PUT, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return UploadMethod(super().to_internal_value(data))


class PassphraseIn(StrictSerializer):
    """A passphrase that is part of the file's key."""

    passphrase = PassphraseField(min_length=1)


class UploadIn(FileIn):
    """An upload to announce: what it is, whose, and how its bytes come."""

    method = MethodField()
    owner = PatternField(
        OWNER, required=False, help_text="`me` (the default), or a group of yours: `group:<id>`"
    )
    size_limit = WholeField(required=False, min_value=1, max_value=settings.UPLOAD_MAX_BYTES)
    passphrase = PassphraseField(min_length=8)
    stock = StockField()
    upload_id = UploadIdField()


class ReplacementIn(StrictSerializer):
    """The next version of a document; what is left out stays as it is, save the media type, which is found again."""

    name = TextField(required=False, min_length=1, trim_whitespace=False, validators=[check_name])
    media_type = PatternField(MEDIA_TYPE, required=False)
    source_path = TextField(required=False, min_length=1, trim_whitespace=False, validators=[check_path])
    attributes = AttributesField(required=False)
    method = MethodField()
    size_limit = WholeField(required=False, min_value=1, max_value=settings.UPLOAD_MAX_BYTES)
    passphrase = PassphraseField(min_length=8)
    stock = StockField()
    upload_id = UploadIdField()


class DescriptionIn(StrictSerializer):
    """What is said of a file: at least one of these."""

    name = TextField(required=False, min_length=1, trim_whitespace=False, validators=[check_name])
    document_type = PatternField(DOCUMENT_TYPE, required=False)
    media_type = PatternField(MEDIA_TYPE, required=False)
    attributes = AttributesField(required=False, help_text="all of them: what is left out here is removed")
    expires_at = FutureField(required=False, allow_null=True, help_text="null: no lifetime")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError({"body": f"give at least one of {', '.join(self.fields)}"})
        return attrs


class TargetOut(serializers.Serializer[Any]):
    """Where the bytes go: PUT to the URL, POST the form, or ask for the URLs of parts."""

    file = FileOut()
    method = serializers.ChoiceField(choices=_choices(UploadMethod))
    upload_url = serializers.URLField(source="url", allow_null=True)
    upload_fields = serializers.DictField(source="fields", child=serializers.CharField())
    upload_headers = serializers.DictField(
        source="headers", child=serializers.CharField(), help_text="to be sent with the PUT, as they are"
    )
    part_bytes = serializers.IntegerField(allow_null=True)
    expires_at = serializers.DateTimeField()


class PartsIn(StrictSerializer):
    """Which parts are to be sent, counted from 1."""

    numbers = serializers.ListField(
        child=WholeField(min_value=1, max_value=MAX_PARTS), min_length=1, max_length=URLS_AT_ONCE
    )


class PartUrlOut(serializers.Serializer[Any]):
    """Where one part goes."""

    number = serializers.IntegerField()
    url = serializers.URLField()


class PartUrlsOut(serializers.Serializer[Any]):
    """Where parts go."""

    parts = PartUrlOut(many=True)


class PartOut(serializers.Serializer[Any]):
    """A part that has arrived."""

    number = serializers.IntegerField()
    size = serializers.IntegerField()


class PartsOut(serializers.Serializer[Any]):
    """What has arrived."""

    parts = PartOut(many=True)


class CompletionIn(StrictSerializer):
    """All parts are sent."""

    size = WholeField(min_value=0)


class ArchiveIn(StrictSerializer):
    """Where to; from GLACIER_IR a file can still be read at once."""

    storage_class = serializers.ChoiceField(
        choices=_choices(c for c in StorageClass if c is not StorageClass.STANDARD),
        default=StorageClass.GLACIER_IR.value,
    )


class LocalFileIn(FileIn):
    """A file that the client encrypts."""

    method = MethodField()
    passphrase = PassphraseField(min_length=8)
    stock = StockField()
    upload_id = UploadIdField()


class FileKeyOut(serializers.Serializer[Any]):
    """A file's key: enough to encrypt or decrypt its body, and secret."""

    file = FileOut()
    key = Base64Field()
    context = Base64Field()  # type: ignore[assignment]  # DRF keeps declared fields apart from its own attribute
    format = serializers.CharField()
    url = serializers.URLField(allow_null=True)
    sha256 = serializers.CharField(allow_null=True, help_text="of the plaintext, in hex")


class LocalTargetOut(serializers.Serializer[Any]):
    """Where the encrypted body goes, and its key."""

    upload = TargetOut()
    secret = FileKeyOut()


class FinishIn(PassphraseIn):
    """The client has uploaded the body."""

    sha256 = PatternField(SHA256, required=False, help_text="of the plaintext, in hex")
