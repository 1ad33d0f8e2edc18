"""moto's answers made fast: it looks up each of ten possible types of each attribute under several names.

Here an attribute of DynamoDB that is text, a number, bytes or a truth value is written as it is kept: the answer
is the same (tests/test_moto_answers.py), and a read takes half the time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from moto.core.serialize import BaseJSONSerializer

whole = BaseJSONSerializer._serialize_type_structure


@contextmanager
def fast_answers() -> Iterator[None]:
    """As long as the block lasts."""
    with mock.patch.object(BaseJSONSerializer, "_serialize_type_structure", _serialize):
        yield


def _serialize(serializer: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str) -> None:
    if shape.name == "AttributeValue" and key and type(value) is dict and len(value) == 1:
        [(kind, content)] = value.items()
        if (kind in {"S", "N"} and type(content) is str) or (kind == "BOOL" and type(content) is bool):
            serialized[key] = {kind: content}
            return
        if kind == "B" and type(content) is bytes:
            serialized[key] = {kind: serializer._base64(content)}
            return
    whole(serializer, serialized, value, shape, key)
