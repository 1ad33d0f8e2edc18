"""What the API takes and gives for the audit trail."""

from typing import Any

from rest_framework import serializers

from apps.common.lists import ListQuery


class EntryListQuery(ListQuery):
    """The query of the audit list; it takes one filter at a time."""

    actor = serializers.CharField(required=False, max_length=200)
    key = serializers.CharField(required=False, max_length=200)
    session = serializers.CharField(required=False, max_length=200)
    file = serializers.CharField(required=False, max_length=200)
    approval = serializers.CharField(required=False, max_length=200)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("actor", "key", "session", "file", "approval") if name in attrs]
        if len(given) > 1:
            raise serializers.ValidationError(
                {given[1]: "use one filter at a time: actor, key, session, file or approval"}
            )
        return attrs


class EntryOut(serializers.Serializer[Any]):
    """One entry of the trail."""

    chain = serializers.CharField()
    sequence = serializers.IntegerField()
    timestamp = serializers.DateTimeField()
    event = serializers.CharField()
    outcome = serializers.CharField()
    actor = serializers.CharField()
    source_ip = serializers.CharField()
    via = serializers.CharField(allow_null=True, help_text="the API key that was shown")
    key_id = serializers.CharField(allow_null=True)
    session_id = serializers.CharField(allow_null=True)
    file_id = serializers.CharField(allow_null=True)
    detail = serializers.DictField()
    hash = serializers.CharField()
    previous_hash = serializers.CharField()
