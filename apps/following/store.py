"""The table of followers' places."""

from collections.abc import Iterable

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from apps.common.authenticated import is_authentic, make_tag
from apps.common.dynamodb import Table, meta
from apps.following.records import Place


class PlaceTable(Table[Place]):
    Meta = meta("trail-places")
    record_type = Place
    undeciding = "Each place carries a seal of its own; one that the platform did not write does not count. Set back to an earlier one, the follower reads again what it read."

    follower = UnicodeAttribute(hash_key=True)
    chain = UnicodeAttribute(range_key=True)
    sequence = NumberAttribute()


def seal(follower: str, chain: str, sequence: int) -> str:
    """Return what a place is known by as the platform's: else whoever sets it forward would hide entries from its follower."""
    return make_tag(PlaceTable.short_name(), _sealed(follower, chain, sequence), revision=sequence)


def _sealed(follower: str, chain: str, sequence: int) -> dict[str, dict[str, str]]:
    return {"follower": {"S": follower}, "chain": {"S": chain}, "sequence": {"N": str(sequence)}}


def read(follower: str, chains: Iterable[str]) -> tuple[dict[str, int], list[PlaceTable]]:
    """Read how far a follower is in some chains, consistently, and the rows that say so and are not the platform's.

    Chains in which it never was are in neither.
    """
    known: dict[str, int] = {}
    forged: list[PlaceTable] = []
    for row in PlaceTable.batch_get([(follower, chain) for chain in chains], consistent_read=True):
        if _is_sealed(row):
            known[row.chain] = int(row.sequence)
        else:
            forged.append(row)
    return known, forged


def _is_sealed(row: PlaceTable) -> bool:
    if row.malformed or row.sequence is None or row.sequence != int(row.sequence):
        return False
    sealed = _sealed(row.follower, row.chain, int(row.sequence))
    return is_authentic(PlaceTable.short_name(), sealed, row.tag or "")
