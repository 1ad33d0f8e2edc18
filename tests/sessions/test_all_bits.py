"""A key of all that the bound leaves: asked for by API, batch, form and the stock; every quantum key is cut from it."""

import pytest

from apps.common.errors import Invalid
from apps.sessions import finals, services, stock, tasks
from apps.sessions.forms import GenerateForm
from apps.sessions.services import ALL, DEFAULT_KEY_LENGTH, GenerateRequest
from qkd.vocabulary import MAX_KEY_LENGTH
from tests import requirement
from tests.conftest import TESTS
from tests.finals import final_key
from tests.queues import into

EVE = {"kind": "intercept_resend", "fraction": 1.0}


@requirement("A5", "A12", "I7")
@pytest.mark.parametrize("at_least", [64, 512, None])
def test_all_secret_bits_become_the_key_and_its_quantum_keys(aws, at_least):
    made = services.generate(GenerateRequest(key_length=ALL, at_least=at_least), actor=TESTS)
    lengths = made.ledger["lengths"]
    assert made.final_key_length == lengths["bound"] - lengths["authentication"]
    assert made.final_key_length > (at_least or DEFAULT_KEY_LENGTH) == made.key_length
    assert made.keys_total == made.final_key_length // 256
    assert final_key(made.session_id).final_key_length == made.final_key_length


@requirement("A5", "A12", "E1")
def test_the_api_takes_all_and_what_it_is_planned_for(api):
    made = api.post("qkd/generate", {"key_length": "all", "at_least": 512})
    assert made.status_code == 201
    shown = made.json()
    assert shown["key_length"] == 512 < shown["final_key_length"]
    assert (shown["parameters"]["key_length"], shown["parameters"]["at_least"]) == ("all", 512)


@requirement("A5", "A12")
@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"key_length": "everything"}, "key_length"),
        ({"key_length": "ALL"}, "key_length"),
        ({"key_length": ["all"]}, "key_length"),
        ({"key_length": "all", "at_least": 63}, "at_least"),
        ({"key_length": "all", "at_least": "all"}, "at_least"),
        ({"key_length": 256, "at_least": 256}, "at_least"),
        ({"at_least": 256}, "at_least"),
    ],
    ids=str,
)
def test_anything_else_is_refused_by_name(api, asked, field):
    refused = api.post("qkd/generate", asked)
    assert refused.status_code == 400
    assert {error["field"] for error in refused.json()["errors"]} == {field}
    for request in (asked, {"link": "nowhere", **asked}):
        with pytest.raises(Invalid):
            services.check(GenerateRequest(**request), actor=TESTS)


@requirement("A5", "A12", "I7")
def test_with_an_eavesdropper_all_is_nothing(aws):
    made = services.generate(GenerateRequest(key_length=ALL, at_least=64, eavesdropper=EVE), actor=TESTS)
    assert (made.final_key_length, made.keys_total) == (0, 0)
    assert made.reason_code


@requirement("A5", "A12")
def test_a_batch_keeps_the_request_as_it_was(aws, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into(sent))
    request = GenerateRequest(key_length=ALL, at_least=64, error_rate=0.01)
    job = tasks.generate_later(request, count=2, actor=TESTS)
    assert GenerateRequest(**job.parameters) == request
    tasks.generate_batch(sent[0])
    made = services.listed(actor=TESTS, limit=5).records
    assert [session.key_length for session in made] == [64, 64]
    assert all(session.final_key_length > 64 for session in made)


@requirement("A12")
def test_the_stock_keeps_what_its_photons_give(aws):
    request = stock.refill_request(512)
    made = services.generate(request, actor=stock.REFILLER)
    assert made.key_length == 512 < made.final_key_length


@requirement("A5", "A7", "A12")
def test_all_that_there_is_is_no_longer_than_the_longest_key(aws):
    """A wrapped secret has room for no more."""
    made = services.generate(GenerateRequest(key_length=ALL, at_least=MAX_KEY_LENGTH), actor=TESTS)
    assert made.final_key_length == MAX_KEY_LENGTH < made.ledger["lengths"]["bound"]
    assert len(finals.unwrap(final_key(made.session_id))) == -(-made.final_key_length // 8)


@requirement("A2", "A12", "E1")
def test_a_channel_of_ones_own_has_devices_and_light(api):
    channel = {
        "distance_km": 5, "misalignment": 0.01, "rectilinear_probability": 0.8, "intensities": [0.6, 0.15],
        "intensity_probabilities": [0.5, 0.5], "dead_time_pulses": 10, "double_clicks": True,
        "efficiency_mismatch": 0.02, "source_defect": 1e-7, "dark_count_probability": 1e-6,
    }  # fmt: skip
    made = api.post("qkd/generate", {"channel": channel, "key_length": 256})
    assert made.status_code == 201
    shown = made.json()
    assert shown["final_key_length"] == 256
    assert shown["parameters"]["channel"] == channel
    assert shown["ledger"]["families"]["bound"] == "rusca2018-exact-tails"
    for wrong in ({"intensities": [0.1]}, {"intensities": [0.1, 0.2]}, {"intensities": "ab"}):
        assert api.post("qkd/generate", {"channel": channel | wrong}).status_code == 400


@requirement("A12", "F2")
@pytest.mark.parametrize(("ticked", "expected"), [("on", (ALL, 512)), ("", (512, None))])
def test_the_form_asks_for_all_where_its_box_is_ticked(ticked, expected):
    given = {"key_length": 512, "error_rate": 0.02, "eavesdropper": "none", "link": "default", "count": 1}
    form = GenerateForm(given | {"take_all": ticked})
    assert form.is_valid(), form.errors
    request = form.to_request()
    assert (request.key_length, request.at_least) == expected
