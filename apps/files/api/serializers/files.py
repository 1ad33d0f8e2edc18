"""Files in and out of the API."""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from rest_framework import serializers

from apps.common.lists import ListQuery
from apps.common.serializers import PatternField, StrictSerializer, TextField
from apps.files.records import DEFAULT_DOCUMENT_TYPE, File, StorageClass
from apps.files.shown import SHOWN_FIELDS, as_shown
from apps.files.states import FileStatus

GROUP = r"group:[A-Za-z0-9._-]{1,64}"
OWNER = re.compile(rf"^(me|{GROUP})$")
LISTED_OWNER = re.compile(rf"^(me|shared|{GROUP})$")
DOCUMENT_TYPE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
MEDIA_TYPE = re.compile(r"^[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}$")
ATTRIBUTE_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")
MAX_ATTRIBUTES = 32
MAX_ATTRIBUTE_CHARACTERS = 256
MAX_NAME_BYTES = 1024
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class AttributesField(serializers.DictField):
    """Up to 32 attributes: names like identifiers, values text, numbers or flags (E6)."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.fail("not_a_dict", input_type=type(data).__name__)
        if len(data) > MAX_ATTRIBUTES:
            raise serializers.ValidationError(f"at most {MAX_ATTRIBUTES} attributes")
        wrong = {
            str(name): problem for name, value in data.items() if (problem := _attribute_problem(name, value))
        }
        if wrong:
            raise serializers.ValidationError(wrong)
        return dict(data)


def _attribute_problem(name: Any, value: Any) -> str | None:
    if not isinstance(name, str) or not ATTRIBUTE_NAME.fullmatch(name):
        return "a name starts with a letter; then letters, digits, '_', '.', '-'; at most 64"
    if isinstance(value, str):
        return (
            None
            if len(value) <= MAX_ATTRIBUTE_CHARACTERS
            else f"at most {MAX_ATTRIBUTE_CHARACTERS} characters"
        )
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return None if abs(value) < 2**53 else "a number is smaller than 2^53"
    return "a value is text, a number, true or false"


def check_name(name: str) -> None:
    """A file's name is data: anything but control characters, and not too long."""
    if CONTROL.search(name):
        raise serializers.ValidationError("control characters are not allowed")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise serializers.ValidationError(f"at most {MAX_NAME_BYTES} bytes in UTF-8")


class FileIn(StrictSerializer):
    """An upload to announce."""

    name = TextField(min_length=1, trim_whitespace=False, validators=[check_name])
    document_type = PatternField(DOCUMENT_TYPE, default=DEFAULT_DOCUMENT_TYPE)
    media_type = PatternField(MEDIA_TYPE, default="application/octet-stream")
    attributes = AttributesField(required=False)


class FileListQuery(ListQuery):
    """Filters of the list of files."""

    document_type = PatternField(DOCUMENT_TYPE, required=False)
    owner = PatternField(
        LISTED_OWNER,
        required=False,
        help_text="`me`, a group of yours (`group:<id>`), or `shared`: files that were granted to you",
    )


HELP = {"shred_after": "a deleted file can be restored until then"}
FIELDS: dict[Any, Any] = {
    str: serializers.CharField,
    int: serializers.IntegerField,
    datetime: serializers.DateTimeField,
    Mapping: serializers.DictField,
    FileStatus: partial(serializers.ChoiceField, choices=[(s.value, s.value) for s in FileStatus]),
    StorageClass: partial(serializers.ChoiceField, choices=[(c.value, c.value) for c in StorageClass]),
}


def _field_of(hint: Any, *, help_text: str | None) -> Any:
    """The serializer field of a record's field, by its type."""
    options = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    nullable = {"allow_null": True} if type(None) in options else {}
    [kind] = {_plain(one) for one in options if one is not type(None)}
    return FIELDS[kind](help_text=help_text, **nullable)


def _plain(hint: Any) -> Any:
    if get_origin(hint) is Literal:
        return type(get_args(hint)[0])
    return get_origin(hint) or hint


class FileOut(serializers.Serializer[Any]):
    """A file's metadata; neither its bytes nor its keys."""

    has_passphrase = serializers.BooleanField()

    def get_fields(self) -> dict[str, Any]:
        """Each field of a record that is shown to the client, by its type."""
        return super().get_fields() | {
            name: _field_of(hint, help_text=HELP.get(name)) for name, hint in SHOWN_FIELDS.items()
        }

    def to_representation(self, instance: File) -> Any:
        """Documents, versions and uploads alike: what a record does not have is null, or the default."""
        return super().to_representation(as_shown(instance))


class DigestOut(serializers.Serializer[Any]):
    """A file's digest: what ``sha256sum`` gives for its plaintext."""

    sha256 = serializers.CharField(allow_null=True)


class DownloadOut(serializers.Serializer[Any]):
    """Where to GET the bytes."""

    url = serializers.URLField()
    expires_at = serializers.DateTimeField()
