"""Fields that accept no unknown names and convert no types silently."""

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from rest_framework import serializers
from rest_framework.request import Request

T = TypeVar("T", bound="StrictSerializer")


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in data.keys() - self.fields.keys())
            if unknown:
                allowed = ", ".join(self.fields)
                raise serializers.ValidationError(
                    dict.fromkeys(unknown, f"unknown field; known are {allowed}")
                )
        return super().to_internal_value(data)


class WholeField(serializers.IntegerField):
    """A JSON integer, not a string that looks like one."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class RealField(serializers.FloatField):
    """A finite JSON number."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        try:
            number = float(data)
        except OverflowError:  # a whole number with hundreds of digits
            self.fail("invalid")
        if not math.isfinite(number):
            self.fail("invalid")
        return number


class TextField(serializers.CharField):
    """A JSON string; a number is not turned into one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class PatternField(TextField, serializers.RegexField):
    """A JSON string of a form."""


class FlagField(serializers.BooleanField):
    """JSON true or false."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


def parse_body(serializer: type[T], request: Request) -> dict[str, Any]:
    """Check the request's body, and return its values.

    Raises:
        rest_framework.exceptions.ValidationError: names each field and what is allowed.
    """
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


def parse_query(serializer: type[T], request: Request) -> dict[str, Any]:
    """Check the query parameters likewise (their values are text)."""
    checked = serializer(data=request.query_params.dict())
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)
