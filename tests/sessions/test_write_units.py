"""What taking a quantum key costs in DynamoDB's write units, however long the session's key is."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from apps.audit.services import transaction
from apps.detections import services as detections
from apps.files.trail import MessageEvent
from apps.sessions import finals, quantum_keys, services
from apps.sessions.records import KeyPurpose, SessionStatus
from apps.sessions.services import GenerateRequest
from apps.sessions.store import FinalKeyTable, SessionTable
from tests import requirement
from tests.conftest import TESTS
from tests.tables import save
from tests.write_units import Item, counted_units, index_units, size

MEGABIT = 2**20
OURS = ("sessions", "final-keys")


@pytest.fixture
def session(aws):
    """A ready session with 4,096 quantum keys, as long as one of 1 Mbit would be."""
    made = services.generate(GenerateRequest(key_length=256, error_rate=0.02), actor=TESTS)
    long = replace(made, final_key_length=MEGABIT, key_length=MEGABIT, keys_total=4096)
    save(SessionTable.of(long))
    save(FinalKeyTable.of(finals.wrap(long, bytes(MEGABIT // 8))))
    assert detections.judge(made.session_id, actor=TESTS).outcome == SessionStatus.READY
    return long


def units_of_a_take() -> Counter[str]:
    """Units by table, its indexes included, without the prefix of all tables."""
    offered = quantum_keys.offer()
    with counted_units() as found, transaction(TESTS) as tx:
        quantum_keys.take(tx, offered, purpose=KeyPurpose.MESSAGE, subject="m", sealed_by="k")
        tx.audit(MessageEvent.ENCRYPTED, session_id=offered.session_id)
    by_table: Counter[str] = Counter()
    for name, units in found.items():
        by_table[name.removeprefix(f"{settings.TABLE_PREFIX}-").partition("/")[0]] += units
    return by_table


@requirement("A7", "C5")
def test_a_take_of_a_megabit_session_costs_less_than_fifteen_units_in_its_tables(session):
    first, second = units_of_a_take(), units_of_a_take()
    assert sum(second[table] for table in OURS) < 15, second
    assert second["final-keys"] == 0
    assert first["final-keys"] > 340, "the first take alone ends the time to live of the wrapped key"
    assert first["sessions"] == second["sessions"]
    assert sum(second.values()) < 30, "key, entry and head of the trail included"


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
