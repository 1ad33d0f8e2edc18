"""Fields of bytes."""

import base64
import binascii
from typing import Any

from rest_framework import serializers

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
