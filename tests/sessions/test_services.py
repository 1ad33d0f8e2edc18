"""Sessions as the platform keeps them: a key within its bound, or none and a reason (I7, A5, A7, A8)."""

from datetime import timedelta

import pytest

from apps.audit import services as audit
from apps.common.errors import Invalid
from apps.sessions import services, stock
from apps.sessions.records import SessionStatus
from apps.sessions.services import GenerateRequest
from apps.sessions.store import FinalKeyTable, SessionTable
from tests import requirement
from tests.conftest import TESTS
from tests.finals import final_key
from tests.tables import rows

FULL_INTERCEPT = {"kind": "intercept_resend", "fraction": 1.0}


def generated(**request):
    return services.generate(GenerateRequest(**request), actor=TESTS)


@requirement("A5", "I7")
@pytest.mark.parametrize(
    ("key_length", "error_rate"), [(64, 0.0), (65, 0.02), (128, 0.05), (256, 0.0), (1000, 0.02), (4096, 0.05)]
)
def test_a_session_yields_exactly_the_key_that_was_asked_for(aws, key_length, error_rate):
    made = generated(key_length=key_length, error_rate=error_rate)
    assert made.final_key_length == key_length
    bound = made.ledger["lengths"]["bound"]
    assert key_length <= bound <= made.corrected_key_length < made.sifted_key_length
    assert final_key(made.session_id).final_key_length == key_length
    assert made.keys_total == key_length // 256


@requirement("I7")
@pytest.mark.parametrize(
    "request_",
    [
        {"error_rate": 0.11},
        {"error_rate": 0.25},
        {"error_rate": 0.5},
        {"error_rate": 0.0, "eavesdropper": FULL_INTERCEPT},
        {"error_rate": 0.02, "eavesdropper": {"kind": "intercept_resend", "fraction": 0.6}},
        {"channel": {"distance_km": 10_000}},
        {"channel": {"distance_km": 300, "dark_count_probability": 0.1}},
    ],
    ids=str,
)
def test_a_session_that_leaves_no_secret_bits_yields_no_key_and_says_why(aws, request_):
    made = generated(key_length=256, **request_)
    assert (made.final_key_length, made.keys_total) == (0, 0)
    assert made.reason_code
    assert made.reason
    assert rows(FinalKeyTable.Meta.table_name) == []


@requirement("A7")
def test_the_table_holds_what_the_requirement_names_and_no_bases(aws):
    made = generated(key_length=256, error_rate=0.02)
    item = rows(SessionTable.Meta.table_name)[0]
    named = {
        "session_id", "timestamp", "ttl", "siftedKeyLength", "estimatedQBER", "correctedKeyLength", "finalKeyLength",
        "status",
    }  # fmt: skip
    (final,) = rows(FinalKeyTable.Meta.table_name)
    assert {"session_id", "ttl", "encryptedFinalKey"} <= final.keys()
    assert (final["session_id"], final["ttl"]) == (item["session_id"], item["ttl"])
    assert named <= item.keys()
    assert not {name for name in item if "bas" in name.lower()}
    assert item["timestamp"]["S"].endswith("Z")
    ninety_days = made.timestamp + timedelta(days=90)
    assert abs(int(item["ttl"]["N"]) - ninety_days.timestamp()) <= 1


@requirement("B5")
def test_a_session_is_pending_until_it_is_judged(aws):
    made = generated(key_length=256, error_rate=0.02)
    assert made.status is SessionStatus.PENDING
    assert stock.stock().total == 0


@requirement("D1")
def test_a_session_is_audited_with_its_numbers(aws):
    made = generated(key_length=256, error_rate=0.02)
    (entry,) = audit.entries_page(limit=5, by="session", value=made.session_id).records
    assert entry.event == "session.generated"
    assert entry.detail["final_key_length"] == 256


@requirement("I8", "A9")
@pytest.mark.parametrize(
    "request_",
    [
        {"key_length": 63},
        {"error_rate": 0.51},
        {"error_rate": float("nan")},
        {"error_rate": 0.1, "channel": "lab"},
        {"channel": "no such"},
        {"channel": {"no_such": 1}},
        {"channel": {"receiver_efficiency": 0}},
        {"eavesdropper": {"kind": "no such"}},
        {"eavesdropper": {"kind": "none", "fraction": 1}},
        {"eavesdropper": {"fraction": 2, "kind": "intercept_resend"}},
    ],
    ids=str,
)
def test_the_service_itself_refuses_what_the_engine_would(aws, request_):
    with pytest.raises(Invalid):
        generated(**request_)
    assert rows(SessionTable.Meta.table_name) == []


@requirement("A9")
def test_longer_keys_are_expected_to_take_longer():
    seconds = [services.estimated_seconds(GenerateRequest(key_length=2**n)) for n in (8, 14, 20)]
    assert seconds == sorted(seconds)
    assert seconds[0] < 1
