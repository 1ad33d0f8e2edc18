"""The tables of principals, API keys and grants."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from apps.access.records import (
    ApiKey,
    Grant,
    KeyStatus,
    Principal,
    PrincipalKind,
    PrincipalStatus,
    Right,
    Tokens,
)
from apps.access.roles import Role
from apps.access.throttles import MINUTE, Limit
from apps.common.authenticated import RecordForged
from apps.common.aws import client
from apps.common.dynamodb import (
    EnumAttribute,
    ObjectAttribute,
    Page,
    Position,
    Table,
    TimeAttribute,
    WordsAttribute,
    feed,
    index,
    meta,
    page,
    sort_key,
)

LISTED = "all"


class PrincipalTable(Table[Principal]):
    Meta = meta("principals")
    record_type = Principal
    by_feed = index("feed", "feed")
    # Persons, services or groups.
    by_kind = index("by_kind", "kind_feed")

    principal_id = UnicodeAttribute(hash_key=True)
    kind = EnumAttribute(PrincipalKind)
    name = UnicodeAttribute()
    role = EnumAttribute(Role)
    status = EnumAttribute(PrincipalStatus)
    created_at = TimeAttribute()
    created_by = UnicodeAttribute()
    groups = WordsAttribute(default=tuple)
    approver = BooleanAttribute(default=False)
    reason = UnicodeAttribute(default="")
    quotas = ObjectAttribute(null=True)
    kind_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Principal) -> dict[str, Any]:
        identifier = record.principal_id
        return {
            "feed": feed(LISTED, identifier),
            "kind_feed": feed(record.kind, identifier),
            "sort": sort_key(record.created_at, identifier),
        }


class ApiKeyTable(Table[ApiKey]):
    Meta = meta("api-keys")
    record_type = ApiKey
    outside = frozenset({"last_used_at"})
    by_feed = index("feed", "feed")
    by_principal = index("by_principal", "principal_feed")

    key_id = UnicodeAttribute(hash_key=True)
    principal_id = UnicodeAttribute()
    name = UnicodeAttribute()
    status = EnumAttribute(KeyStatus)
    secret_hash = UnicodeAttribute()
    created_at = TimeAttribute()
    created_by = UnicodeAttribute()
    scopes = WordsAttribute(null=True)
    networks = WordsAttribute(default=tuple)
    expires_at = TimeAttribute(null=True)
    reason = UnicodeAttribute(default="")
    last_used_at = TimeAttribute(null=True)
    principal_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: ApiKey) -> dict[str, Any]:
        identifier = record.key_id
        return {
            "feed": feed(LISTED, identifier),
            "principal_feed": feed(record.principal_id, identifier),
            "sort": sort_key(record.created_at, identifier),
        }


class GrantTable(Table[Grant]):
    Meta = meta("grants")
    record_type = Grant
    by_grantee = index("by_grantee", "grantee_feed")
    by_object = index("by_object", "object_feed")

    grant_id = UnicodeAttribute(hash_key=True)
    grantee = UnicodeAttribute()
    object = UnicodeAttribute()
    right = EnumAttribute(Right)
    owner = UnicodeAttribute()
    granted_at = TimeAttribute()
    granted_by = UnicodeAttribute()
    until = TimeAttribute(null=True)
    grantee_feed = UnicodeAttribute(null=True)
    object_feed = UnicodeAttribute(null=True)

    @classmethod
    def index_keys(cls, record: Grant) -> dict[str, Any]:
        return {
            "grantee_feed": feed(record.grantee, record.grant_id),
            "object_feed": feed(record.object, record.grant_id),
            "sort": sort_key(record.granted_at, record.grant_id),
        }


class TokenTable(Table[Tokens]):
    """Counters of requests: of a principal and scope (or a source that failed), a minute a row, an attribute a second."""

    Meta = meta("throttles")
    record_type = Tokens
    undeciding = (
        "Counts requests; whoever raises a count makes somebody wait for a minute, and lowers nobody's guard."
    )
    expires = True

    bucket = UnicodeAttribute(hash_key=True)
    used = NumberAttribute()
    ttl = NumberAttribute()


def add_tokens(name: str, tokens: int, second: int, limit: Limit) -> tuple[bool, int, int]:
    """Add tokens to the counters of a second and of its minute by one call, unless that exceeds the limit.

    Returns:
        whether they were added, and both totals: with them, or without.
    """
    minute, place = divmod(second, MINUTE)
    counter = f"s{place}"
    try:
        answer = client("dynamodb").update_item(
            TableName=str(TokenTable.Meta.table_name),
            Key={"bucket": {"S": f"{name}|{minute}"}},
            UpdateExpression="ADD #second :tokens, used :tokens SET #ttl = if_not_exists(#ttl, :ttl)",
            ConditionExpression="(attribute_not_exists(#second) OR #second <= :burst) "
            "AND (attribute_not_exists(used) OR used <= :minute)",
            ExpressionAttributeNames={"#second": counter, "#ttl": "ttl"},
            ExpressionAttributeValues={
                ":tokens": {"N": str(tokens)},
                ":ttl": {"N": str((minute + MINUTE) * MINUTE)},
                ":burst": {"N": str(limit.burst - tokens)},
                ":minute": {"N": str(limit.minute - tokens)},
            },
            ReturnValues="UPDATED_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        # Where the answer does not hold the row, both count as used up: the next window is soon
        found: Any = error.response.get("Item", {counter: {"N": limit.burst}, "used": {"N": limit.minute}})
        return False, int(found.get(counter, {"N": 0})["N"]), int(found["used"]["N"])
    totals = answer["Attributes"]
    return True, int(totals[counter]["N"]), int(totals["used"]["N"])


def principals_page(
    *, limit: int, position: Position | None, kind: PrincipalKind | None = None
) -> Page[Principal]:
    """Principals, or those of one kind, newest first."""
    if kind is None:
        return page(PrincipalTable.by_feed, LISTED, limit=limit, position=position)
    return page(PrincipalTable.by_kind, kind, limit=limit, position=position)


def principals_of(principal_ids: Sequence[str]) -> list[Principal]:
    """The principals with these ids that exist, read consistently in one BatchGetItem (100 at most)."""
    return [row.record() for row in PrincipalTable.batch_get(list(principal_ids), consistent_read=True)]


def keys_page(*, limit: int, position: Position | None, principal_id: str | None = None) -> Page[ApiKey]:
    """API keys, or those of one principal, newest first."""
    if principal_id is None:
        return page(ApiKeyTable.by_feed, LISTED, limit=limit, position=position)
    return page(ApiKeyTable.by_principal, principal_id, limit=limit, position=position)


def grants_to(grantee: str, *, limit: int, position: Position | None) -> Page[Grant]:
    """What was granted to a principal or group, newest first."""
    return page(GrantTable.by_grantee, grantee, limit=limit, position=position)


def grants_on(name: str, *, limit: int, position: Position | None) -> Page[Grant]:
    """Who was granted something on an object, newest first."""
    return page(GrantTable.by_object, name, limit=limit, position=position)


def grants_of(grant_ids: Sequence[str]) -> list[Grant]:
    """The grants with these ids that exist, read consistently in one BatchGetItem (100 at most)."""
    found: list[Grant] = []
    for row in GrantTable.batch_get(list(grant_ids), consistent_read=True):
        with suppress(RecordForged):  # logged there, with the row's name: it allows nothing, and stops nobody
            found.append(row.record())
    return found
