"""Pool keys out of the API."""

import base64
import binascii
from typing import Any

from rest_framework import serializers

from apps.common.lists import ListQuery
from apps.common.serializers import (
    FlagField,
    PatternField,
    RecordOut,
    StrictSerializer,
    TextField,
    WholeField,
)
from apps.keys import pools
from apps.keys.pool_records import DEFAULT_POOL, Pool, Purpose
from apps.keys.records import KeyState, PoolKey
from qkdseal.kem import DEFAULT_SUITE, MLKEM768_EXPANDED_SIZE, Suite

SUITES = [(suite.value, suite.value) for suite in Suite]
SEALING_SUITES = [(suite.value, suite.value) for suite in Suite if suite.seals]  # of those who receive a seed
KEY_STATES = [(state.value, state.value) for state in KeyState]
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
    files = serializers.IntegerField(help_text="that wait to be re-wrapped; 10,000 may be more")
    messages = serializers.IntegerField(
        help_text="that do not open until the minimum is lowered; 10,000 may be more"
    )


class TakingAwayIn(ReasonIn):
    """Why a key is taken out of use, and whether its pool may be left with too few."""

    below_low_water = FlagField(
        default=False,
        help_text="take it away even if the pool keeps fewer active keys than its low-water mark; it is refilled",
    )


class RotationOut(RecordOut):
    """The replacement of one key by another."""

    ROW = "rotations/{0.rotation_id}"

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

    state = serializers.ChoiceField(choices=KEY_STATES, required=False)


class PoolKeyOut(RecordOut):
    """A pool key: its public half and its life; never the private half, wrapped or not."""

    ROW = "pool-keys/{0.key_id}"

    key_id = serializers.CharField()
    pool = serializers.CharField()
    suite = serializers.ChoiceField(choices=SUITES)
    state = serializers.ChoiceField(choices=KEY_STATES)
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


PURPOSES = [(purpose.value, purpose.value) for purpose in Purpose]
_PRINCIPALS = "ids of persons, services or groups"


class PoolChangesIn(StrictSerializer):
    """What is said of a named key (a pool of key pairs). A number that is null is the platform's setting."""

    about = TextField(required=False, allow_blank=True, max_length=255)
    purposes = serializers.ListField(child=serializers.ChoiceField(choices=PURPOSES), required=False)
    users = serializers.ListField(
        child=TextField(max_length=128),
        required=False,
        max_length=100,
        help_text=f"who may seal to it: {_PRINCIPALS}; empty: everybody",
    )
    managers = serializers.ListField(
        child=TextField(max_length=128),
        required=False,
        max_length=100,
        help_text=f"who may manage it: {_PRINCIPALS}; empty: everybody with the scope",
    )
    serves = serializers.ListField(
        child=TextField(max_length=128),
        required=False,
        max_length=100,
        help_text=f"owners whose files and messages it takes by itself: {_PRINCIPALS}",
    )
    target = WholeField(required=False, allow_null=True, help_text="active keys that a refill brings it to")
    low_water = WholeField(required=False, allow_null=True, help_text="below it the pool is refilled")
    rotation_days = WholeField(required=False, allow_null=True, help_text="after which its keys are rotated")
    max_uses = WholeField(required=False, allow_null=True, help_text="after which its keys are rotated")
    accepts_imports = FlagField(required=False)
    labels = serializers.DictField(child=TextField(max_length=128, allow_blank=True), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        lists = ("purposes", "users", "managers", "serves")
        return {name: tuple(value) if name in lists else value for name, value in attrs.items()}


class PoolIn(PoolChangesIn):
    """A named key to be made. Its suite stays for good."""

    EXAMPLES = ({"name": "invoices", "about": "of the accounts department", "target": 10},)

    name = PatternField(r"^[a-z0-9][a-z0-9-]{0,31}$", help_text="a to z, 0 to 9 and -, up to 32 characters")
    suite = serializers.ChoiceField(choices=SEALING_SUITES, default=DEFAULT_SUITE.value)


class PoolPatchIn(PoolChangesIn):
    """What changes of a named key; what is left out stays."""

    reason = TextField(max_length=REASON_LIMIT)


class PoolAliasIn(StrictSerializer):
    """The pool that an alias names from now on."""

    pool = TextField(max_length=32)
    reason = TextField(max_length=REASON_LIMIT)


class PoolAliasOut(RecordOut):
    """Another name of a pool."""

    ROW = "pools/all/{0.name}"

    name = serializers.CharField()
    pool = serializers.CharField(source="alias_of")
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField(allow_null=True)


class PoolOut(RecordOut):
    """A named key: a pool of key pairs that are picked, refilled and rotated together."""

    ROW = "pools/all/{0.name}"

    name = serializers.CharField()
    about = serializers.CharField()
    aliases = serializers.SerializerMethodField()
    purposes = serializers.ListField(child=serializers.ChoiceField(choices=PURPOSES))
    suite = serializers.ChoiceField(choices=SUITES)
    target = serializers.IntegerField(source="full")
    low_water = serializers.IntegerField(source="low")
    rotation_days = serializers.IntegerField(source="rotated_after_days")
    max_uses = serializers.IntegerField(source="rotated_after_uses")
    current = serializers.IntegerField(help_text="version of new keys")
    minimum = serializers.IntegerField(
        help_text="keys below it open only so that their files can be re-wrapped"
    )
    users = serializers.ListField(child=serializers.CharField())
    managers = serializers.ListField(child=serializers.CharField())
    serves = serializers.ListField(child=serializers.CharField())
    accepts_imports = serializers.BooleanField()
    labels = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    changed_at = serializers.DateTimeField(allow_null=True)

    def get_aliases(self, pool: Pool) -> list[str]:
        return pools.known().aliases_of(pool.name)
