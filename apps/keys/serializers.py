"""Pool keys out of the API."""

import base64
from typing import Any

from rest_framework import serializers

from apps.common.lists import ListQuery
from apps.keys.records import KeyState, PoolKey


class PoolKeyListQuery(ListQuery):
    """Filters of the list of pool keys."""

    state = serializers.ChoiceField(choices=[(s.value, s.value) for s in KeyState], required=False)


class PoolKeyOut(serializers.Serializer[Any]):
    """A pool key: its public half and its life; never the private half, wrapped or not."""

    key_id = serializers.CharField()
    suite = serializers.CharField()
    state = serializers.CharField()
    public_key = serializers.SerializerMethodField(help_text="base64")
    usage = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    changed_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()

    def get_public_key(self, key: PoolKey) -> str:
        return base64.b64encode(key.public_key).decode()
