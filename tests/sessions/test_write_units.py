"""What taking a quantum key costs in DynamoDB's write units, however long the session's key is."""

from collections import Counter
from typing import Any

from django.conf import settings

from apps.audit.services import transaction
from apps.files.trail import MessageEvent
from apps.sessions import committing, offering
from apps.sessions.records import KeyPurpose
from tests import requirement
from tests.conftest import TESTS
from tests.sessions.ready import long
from tests.write_units import Item, counted_units, index_units, size

MEGABIT_KEYS = 4096
OURS = ("sessions", "final-keys", "key-blocks", "quantum-keys")


def units_of_a_take() -> Counter[str]:
    """Units by table, its indexes included, without the prefix of all tables."""
    offered = offering.offer()
    with counted_units() as found, transaction(TESTS) as tx:
        committing.take(tx, offered, purpose=KeyPurpose.MESSAGE, subject="m", sealed_by="k")
        tx.audit(MessageEvent.ENCRYPTED, session_id=offered.session_id)
    offering.settle(offered, taken=True)
    by_table: Counter[str] = Counter()
    for name, units in found.items():
        by_table[name.removeprefix(f"{settings.TABLE_PREFIX}-").partition("/")[0]] += units
    return by_table


@requirement("A7", "C5")
def test_a_take_of_a_megabit_session_costs_eight_units_in_its_tables(aws):
    long(MEGABIT_KEYS)
    first, second = units_of_a_take(), units_of_a_take()
    assert {table: second[table] for table in OURS if second[table]} == {
        "key-blocks": 2,
        "quantum-keys": 6,
    }, "the row twice, and its places: of the session, the pool key, all messages, the sealer's"
    assert first["final-keys"] > 340, "the first take alone ends the time to live of the wrapped key"
    assert sum(second.values()) < 17, "key, entry and head of the trail included"


@requirement("A7", "C5")
def test_a_block_costs_its_session_one_write(aws):
    long(1024)
    units_of_a_take()
    taken = [units_of_a_take() for _ in range(16)]
    assert [found["sessions"] > 0 for found in taken] == [False] * 14 + [True, False]
    assert sum(sum(found.values()) for found in taken) / len(taken) < 18


@requirement("A7")
def test_sizes_are_counted_as_aws_says():
    item: Item = {"id": {"S": "é"}, "n": {"N": "-12.345"}, "b": {"B": b"xyz"}, "t": {"BOOL": True}}
    assert size(item) == (2 + 2) + (1 + 4) + (1 + 3) + (1 + 1)
    index: dict[str, Any] = {"KeySchema": [{"AttributeName": "id"}], "Projection": {"ProjectionType": "ALL"}}
    large = item | {"b": {"B": bytes(2000)}}
    assert index_units(item, item, index, []) == 0
    assert index_units(None, large, index, []) == index_units(item, large, index, []) == 2
    assert index_units(large, large | {"id": {"S": "other"}}, index, []) == 4
    only = {"KeySchema": index["KeySchema"], "Projection": {"ProjectionType": "KEYS_ONLY"}}
    assert index_units(item, large, only, []) == 0
