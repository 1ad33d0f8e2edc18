"""Grants on files in and out of the API."""

from typing import Any

from rest_framework import serializers

from apps.access.records import Right
from apps.common.serializers import PatternField, StrictSerializer
from apps.files.api.serializers.fields import FutureField
from apps.files.conf import PRINCIPAL

RIGHTS = [(right.value, right.value) for right in Right]


class FileGrantIn(StrictSerializer):
    """Who may do what with a file, until when."""

    grantee = PatternField(PRINCIPAL, help_text="`user:<id>`, `service:<id>` or `group:<id>`")
    right = serializers.ChoiceField(choices=RIGHTS, default=Right.READ.value)
    until = FutureField(required=False, help_text="until it is revoked, unless given")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return attrs | {"right": Right(attrs["right"])}


class FileGrantOut(serializers.Serializer[Any]):
    """Who may do what with a file, until when."""

    grantee = serializers.CharField()
    right = serializers.ChoiceField(choices=RIGHTS)
    until = serializers.DateTimeField(allow_null=True)
    granted_at = serializers.DateTimeField()
    granted_by = serializers.CharField()


class RevokedFileGrantOut(serializers.Serializer[Any]):
    """Who may use the file no longer."""

    grantee = serializers.CharField()
