"""Pool keys out of the API."""

import base64
import binascii
from typing import Any

from rest_framework import serializers

from apps.common.lists import ListQuery
from apps.common.serializers import FlagField, StrictSerializer, TextField, WholeField
from apps.keys.pool_records import DEFAULT_POOL
from apps.keys.records import KeyState, PoolKey
from qkdseal.kem import MLKEM768_EXPANDED_SIZE, Suite

SUITES = [(suite.value, suite.value) for suite in Suite]
SEALING_SUITES = [(suite.value, suite.value) for suite in Suite if suite.seals]  # of those who receive a seed
REASON_LIMIT = 255


class BytesField(TextField):
    """Bytes as base64."""

    def __init__(self, *, max_bytes: int, **kwargs: Any) -> None:
        self.max_bytes = max_bytes
        super().__init__(help_text=f"base64, at most {max_bytes} bytes", max_length=4 * max_bytes, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        try:
            value = base64.b64decode(super().to_internal_value(data), validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("Enter base64.") from None
        if len(value) > self.max_bytes:
            raise serializers.ValidationError(f"Enter at most {self.max_bytes} bytes.")
        return value


class ReasonIn(StrictSerializer):
    """Why; kept with the key and in the audit trail."""

    reason = TextField(max_length=REASON_LIMIT)


class ImportIn(ReasonIn):
    """A key pair by its seed: 32 bytes for X-Wing, 64 (d || z) for ML-KEM-768."""

    suite = serializers.ChoiceField(choices=SUITES)
    seed = BytesField(max_bytes=MLKEM768_EXPANDED_SIZE, write_only=True)
    pool = TextField(default=DEFAULT_POOL, max_length=32)


class MinimumIn(StrictSerializer):
    """The lowest version whose keys still open."""

    minimum = WholeField(min_value=1, max_value=2**31)
    pool = TextField(default=DEFAULT_POOL, max_length=32, help_text="name or alias")
    lose_messages = FlagField(
        default=False, help_text="messages sealed to the keys do not open until the minimum is lowered"
    )


class MinimumOut(serializers.Serializer[Any]):
    """The versions of a pool, and what its keys below the minimum still hold."""

    pool = serializers.CharField(source="pool.name")
    current = serializers.IntegerField(source="pool.current", help_text="version of new keys")
    minimum = serializers.IntegerField(
        source="pool.minimum", help_text="keys below it open only so that their files can be re-wrapped"
    )
    files = serializers.IntegerField(help_text="that wait to be re-wrapped")
    messages = serializers.IntegerField(help_text="that do not open until the minimum is lowered")


class TakingAwayIn(ReasonIn):
    """Why a key is taken out of use, and whether its pool may be left with too few."""

    below_low_water = FlagField(
        default=False,
        help_text="take it away even if the pool keeps fewer active keys than its low-water mark; it is refilled",
    )


class RotationOut(serializers.Serializer[Any]):
    """The replacement of one key by another."""

    rotation_id = serializers.CharField()
    old_key_id = serializers.CharField()
    new_key_id = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    reason = serializers.CharField()
    started_at = serializers.DateTimeField()
    started_by = serializers.CharField()
    changed_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    job_id = serializers.CharField(allow_null=True)


class PoolKeyListQuery(ListQuery):
    """Filters of the list of pool keys."""

    state = serializers.ChoiceField(choices=[(s.value, s.value) for s in KeyState], required=False)


class PoolKeyOut(serializers.Serializer[Any]):
    """A pool key: its public half and its life; never the private half, wrapped or not."""

    key_id = serializers.CharField()
    pool = serializers.CharField()
    suite = serializers.CharField()
    state = serializers.CharField()
    public_key = serializers.SerializerMethodField(help_text="base64")
    usage = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    changed_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    version = serializers.IntegerField()
    messages = serializers.IntegerField(help_text="of the uses, those for messages")
    imported = serializers.BooleanField()
    destroy_after = serializers.DateTimeField(allow_null=True)

    def get_public_key(self, key: PoolKey) -> str:
        return base64.b64encode(key.public_key).decode()
