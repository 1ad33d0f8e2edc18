"""Fields that accept no unknown names and convert no types silently."""

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from rest_framework import serializers
from rest_framework.request import Request

T = TypeVar("T", bound="StrictSerializer")


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know.

    ``EXACTLY_ONE`` names fields of which its ``validate`` demands exactly one, for the schema; ``EXAMPLES`` are inputs
    that are accepted, which a test sends.
    """

    EXACTLY_ONE: ClassVar[tuple[str, ...]] = ()
    EXAMPLES: ClassVar[tuple[Mapping[str, Any], ...]] = ()

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in data.keys() - self.fields.keys())
            if unknown:
                allowed = ", ".join(self.fields)
                raise serializers.ValidationError(
                    dict.fromkeys(unknown, f"unknown field; known are {allowed}")
                )
        return super().to_internal_value(data)


class RecordOut(serializers.Serializer[Any]):
    """How a record is shown; ``ROW`` names its row from it, for its ETag."""

    ROW: ClassVar[str]


class WholeField(serializers.IntegerField):
    """A JSON integer, not a string that looks like one."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class WholeParameter(serializers.IntegerField):
    """A whole number in an address, in ASCII digits: Python reads those of every script."""

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch(r"-?[0-9]{1,20}", str(data), re.ASCII):
            self.fail("invalid")
        return super().to_internal_value(data)


SMALLEST_NUMBER = 1e-100
"""Smaller numbers but 0 are refused: DynamoDB keeps none below 1e-130, and what is worked out of them is smaller."""


class RealField(serializers.FloatField):
    """A finite JSON number that can be kept: 0, or at least ``SMALLEST_NUMBER`` away from it."""

    default_error_messages = {"too_small": f"Use 0, or a number of at least {SMALLEST_NUMBER:g}."}

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        try:
            number = float(data)
        except OverflowError:  # a whole number with hundreds of digits
            self.fail("invalid")
        if not math.isfinite(number):
            self.fail("invalid")
        if 0 < abs(number) < SMALLEST_NUMBER:
            self.fail("too_small")
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
    """Check the query parameters likewise (their values are text, each given once)."""
    given = request.query_params
    repeated = sorted(name for name, values in given.lists() if len(values) > 1)
    if repeated:
        raise serializers.ValidationError(dict.fromkeys(repeated, "is given more than once"))
    checked = serializer(data=given.dict())
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)
