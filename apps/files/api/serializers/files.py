"""Files in and out of the API."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from rest_framework import serializers

from apps.common.lists import ListQuery
from apps.common.serializers import PatternField, RecordOut, StrictSerializer, TextField, WholeParameter
from apps.files import names
from apps.files.api.serializers.fields import FutureField
from apps.files.attributes import FOUND_BY, MAX_ATTRIBUTES, MEDIA_TYPE, problem_of
from apps.files.records import DEFAULT_DOCUMENT_TYPE, DigestBy, File, StorageClass
from apps.files.shown import SHOWN_FIELDS, as_shown
from apps.files.states import FileStatus

GROUP = r"group:[A-Za-z0-9._-]{1,64}"
OWNER = re.compile(rf"^(me|{GROUP})$")
LISTED_OWNER = re.compile(rf"^(me|shared|{GROUP})$")
DOCUMENT_TYPE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


class AttributesField(serializers.DictField):
    """Up to 32 attributes: names like identifiers, values text, numbers or flags (E6)."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.fail("not_a_dict", input_type=type(data).__name__)
        if len(data) > MAX_ATTRIBUTES:
            raise serializers.ValidationError(f"at most {MAX_ATTRIBUTES} attributes")
        wrong = {str(name): problem for name, value in data.items() if (problem := problem_of(name, value))}
        if wrong:
            raise serializers.ValidationError(wrong)
        if sum(name.startswith(FOUND_BY) for name in data) > 1:
            raise serializers.ValidationError(f"at most one whose name begins with {FOUND_BY}")
        return dict(data)


def check_name(name: str) -> None:
    """A file's name is data: anything but what could make it look like another, and not too long."""
    if (problem := names.problem_of(name)) is not None:
        raise serializers.ValidationError(problem)


def check_path(path: str) -> None:
    """Where a file was before is data too."""
    if (problem := names.problem_of_path(path)) is not None:
        raise serializers.ValidationError(problem)


class FileIn(StrictSerializer):
    """An upload to announce."""

    name = TextField(min_length=1, trim_whitespace=False, validators=[check_name])
    document_type = PatternField(DOCUMENT_TYPE, default=DEFAULT_DOCUMENT_TYPE)
    media_type = PatternField(MEDIA_TYPE, default="application/octet-stream")
    attributes = AttributesField(required=False)
    source_path = TextField(
        required=False,
        min_length=1,
        trim_whitespace=False,
        validators=[check_path],
        help_text="where the file was, as `2024/report.pdf`; shown again, and otherwise not used",
    )
    expires_at = FutureField(
        required=False, help_text="the file is deleted then, and shredded after its window"
    )


class ShreddingIn(StrictSerializer):
    """Why a deleted file is not left to the end of its window."""

    reason = TextField(max_length=200, help_text="kept in the audit trail")


class StatusField(serializers.ChoiceField):
    """A state of files by its name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[(status.value, status.value) for status in FileStatus], **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return FileStatus(super().to_internal_value(data))


class AttributeField(TextField):
    """An attribute and its value, with a colon between."""

    def to_internal_value(self, data: Any) -> Any:
        name, colon, value = super().to_internal_value(data).partition(":")
        if not colon or problem_of(name, value) is not None:
            raise serializers.ValidationError("name:value, as `colour:red`")
        return name, value


class FileListQuery(ListQuery):
    """Filters of the list of files."""

    document_type = PatternField(DOCUMENT_TYPE, required=False)
    owner = PatternField(
        LISTED_OWNER,
        required=False,
        help_text="`me`, a group of yours (`group:<id>`), or `shared`: files that were granted to you",
    )
    status = StatusField(required=False)
    name_prefix = TextField(
        required=False,
        min_length=1,
        max_length=200,
        trim_whitespace=False,
        help_text="whatever the case; by name then",
    )
    uploaded_after = serializers.DateTimeField(required=False, help_text="announced then or later")
    uploaded_before = serializers.DateTimeField(required=False, help_text="announced before")
    size_min = WholeParameter(required=False, min_value=0, help_text="bytes; no index has them")
    size_max = WholeParameter(required=False, min_value=0, help_text="bytes; no index has them")
    attribute = AttributeField(
        required=False,
        help_text="`name:value`; of one owner's files `find.…` is indexed, no other",
    )


HELP = {
    "digest_by": "who computed the SHA-256: `client` until the platform has read the body to its end itself",
    "damage": "what is wrong with the body, where a check found it damaged",
    "content_encoding": "of the content, as it was put",
    "source_path": "where the file was before; data, never used as a path",
    "shred_after": "a deleted file can be restored until then",
}
DIGEST_BY = [(who.value, who.value) for who in DigestBy]
FIELDS: dict[Any, Any] = {
    str: serializers.CharField,
    int: serializers.IntegerField,
    datetime: serializers.DateTimeField,
    Mapping: serializers.DictField,
    FileStatus: partial(serializers.ChoiceField, choices=[(s.value, s.value) for s in FileStatus]),
    DigestBy: partial(serializers.ChoiceField, choices=DIGEST_BY),
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


class FileOut(RecordOut):
    """A file's metadata; neither its bytes nor its keys."""

    ROW = "files/{0.file_id}"

    has_passphrase = serializers.BooleanField()

    def get_fields(self) -> dict[str, Any]:
        """Each field of a record that is shown to the client, by its type."""
        return super().get_fields() | {
            name: _field_of(hint, help_text=HELP.get(name)) for name, hint in SHOWN_FIELDS.items()
        }

    def to_representation(self, instance: File) -> Any:
        """Documents, versions and uploads alike: what a record does not have is null, or the default."""
        return super().to_representation(as_shown(instance))


class FilesFoundOut(serializers.Serializer[Any]):
    """A page of files that were looked for."""

    items = FileOut(many=True)
    next = serializers.CharField(allow_null=True)
    looked_at = serializers.IntegerField(
        help_text="files that were looked at for this page, those on it among them"
    )


class DigestOut(serializers.Serializer[Any]):
    """A file's digest: what ``sha256sum`` gives for its plaintext."""

    sha256 = serializers.CharField(allow_null=True)
    given_by = serializers.ChoiceField(
        choices=DIGEST_BY,
        allow_null=True,
        help_text="`client` until the platform has read the whole body itself",
    )


class DownloadOut(serializers.Serializer[Any]):
    """Where to GET the bytes; or the job that makes them ready, with 202."""

    url = serializers.URLField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    job_id = serializers.CharField(allow_null=True, help_text="ask again until there is a URL")


class PackageFileOut(serializers.Serializer[Any]):
    """What is stored of a file: its envelope, and where to GET the ciphertext."""

    file_id = serializers.CharField()
    envelope = serializers.DictField()
    url = serializers.URLField()
    expires_at = serializers.DateTimeField()
