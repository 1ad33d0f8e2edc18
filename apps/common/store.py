"""The tables of requests that were done once, and of the turns of scheduled parts."""

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from apps.common.done import Done
from apps.common.dynamodb import DocumentAttribute, Table, TimeAttribute, WordsAttribute, meta
from apps.common.slices import Turn


class ClaimTable(Table[Done]):
    Meta = meta("idempotency")
    record_type = Done
    expires = True

    claim_id = UnicodeAttribute(hash_key=True)
    request = UnicodeAttribute()
    result = DocumentAttribute()
    done_at = TimeAttribute()
    ttl = NumberAttribute()


class TurnTable(Table[Turn]):
    Meta = meta("turns")
    record_type = Turn
    undeciding = "It says when a part of a schedule is due and what it tried; what it does to an item, that item's row decides."

    schedule = UnicodeAttribute(hash_key=True)
    part = UnicodeAttribute(range_key=True)
    started_at = TimeAttribute()
    holder = UnicodeAttribute()
    held_until = TimeAttribute(null=True)
    whole_since = TimeAttribute(null=True)
    tried = WordsAttribute()
    failed = BooleanAttribute()
