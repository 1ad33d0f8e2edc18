"""Fields of bytes, of passphrases and of moments."""

import base64
import binascii
import unicodedata
from typing import Any

from rest_framework import serializers

from apps.common import clock
from apps.common.serializers import TextField


class Base64Field(TextField):
    """Bytes as base64."""

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("not valid base64") from None

    def to_representation(self, value: Any) -> str:
        return base64.b64encode(value).decode()


class PassphraseField(TextField):
    """A passphrase in Unicode form NFC, in which its key is derived: so counted, a letter with its accent is one."""

    def __init__(self, *, min_length: int = 1) -> None:
        super().__init__(required=False, min_length=min_length, max_length=1024, trim_whitespace=False)

    def to_internal_value(self, data: Any) -> Any:
        return unicodedata.normalize("NFC", super().to_internal_value(data))


class FutureField(serializers.DateTimeField):
    """A moment to come, in ISO 8601 with its offset from UTC."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            raise serializers.ValidationError("a moment in ISO 8601, as 2027-01-31T12:00:00Z")
        moment = super().to_internal_value(data)
        if moment <= clock.now():
            raise serializers.ValidationError("a moment in the future")
        return moment
