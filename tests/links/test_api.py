"""Links by API: made, changed, seen by whoever may use them, moved from state to state (A10, E1)."""

import pytest

from apps.links import services
from apps.links.records import LinkSource
from apps.sessions.services import GenerateRequest
from tests import requirement
from tests.conftest import TESTS
from tests.sessions.links import a_link
from tests.sessions.ready import ready

METRO = {
    "link_id": "metro",
    "name": "City centre to campus",
    "site_a": "centre",
    "site_b": "campus",
    "users": ["*"],
    "parameters": {"error_rate": 0.03},
    "qber_threshold": 0.08,
    "low_water": 8,
    "target": 64,
}


@requirement("A10", "E1")
def test_a_link_is_made_used_changed_and_retired_by_api(admin_api, api):
    made = admin_api.post("links", METRO)
    assert made.status_code == 201, made.content
    assert {name: made.json()[name] for name in METRO} == METRO
    assert (made.json()["state"], made.json()["source"]) == ("active", LinkSource.SIMULATOR)
    assert api.get("links/metro").json() == made.json()
    ran = api.post("qkd/generate", {"key_length": 64, "link": "metro"})
    assert (ran.status_code, ran.json()["parameters"]["error_rate"]) == (201, 0.03)
    changed = admin_api.call("PATCH", "links/metro", {"users": [], "reason": "ours alone"})
    assert (changed.status_code, changed.json()["users"]) == (200, [])
    assert api.get("links/metro").status_code == 404
    assert api.post("qkd/generate", {"key_length": 64, "link": "metro"}).status_code == 400
    for state, answer in (("paused", 200), ("retired", 200), ("active", 409)):
        moved = admin_api.post("links/metro/state", {"state": state, "reason": "works"})
        assert moved.status_code == answer, moved.content
    assert admin_api.call("PATCH", "links/metro", {"name": "x", "reason": "y"}).status_code == 409
    history = admin_api.get("links/metro/history").json()["items"]
    assert [step["event"] for step in history] == [
        "link.retired",
        "link.paused",
        "link.changed",
        "link.made",
    ]


@requirement("A10", "E9")
def test_a_link_is_made_once_and_changed_as_it_was_read(admin_api):
    first, again = (admin_api.call("POST", "links", METRO, IDEMPOTENCY_KEY="k") for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert admin_api.post("links", METRO).status_code == 409
    etag = admin_api.get("links/metro")["ETag"]
    change = {"name": "x", "reason": "y"}
    assert admin_api.call("PATCH", "links/metro", change, IF_MATCH=etag).status_code == 200
    assert admin_api.call("PATCH", "links/metro", change, IF_MATCH=etag).status_code == 412


@requirement("A10")
def test_an_unknown_paused_or_foreign_link_is_refused_by_generate(admin_api, api):
    for path in ("qkd/generate", "qkd/batches"):
        unknown = api.post(
            path, {"key_length": 64, "link": "nowhere"} | ({"count": 1} if "b" in path else {})
        )
        assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (400, "link")
    a_link("metro")
    admin_api.post("links/metro/state", {"state": "quarantined", "reason": "Eve", "case_id": "c"})
    refused = api.post("qkd/generate", {"key_length": 64, "link": "metro"})
    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "http://127.0.0.1:8000/api/problems/conflict",
    )
    assert "quarantined" in refused.json()["detail"]


@requirement("A10")
def test_a_channel_of_its_own_is_the_only_one_of_a_link(admin_api, api):
    admin_api.post("links", METRO)
    for asked in ({"error_rate": 0.01}, {"channel": "gys2005"}):
        refused = api.post("qkd/generate", {"key_length": 64, "link": "metro", **asked})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, next(iter(asked)))
    assert (
        api.post("qkd/generate", {"key_length": 64, "link": "metro", "error_rate": 0.03}).status_code == 201
    )


@requirement("A10", "B1")
def test_the_threshold_of_a_link_holds_for_its_sessions(admin_api, api):
    from apps.detections import services as detections

    admin_api.post("links", METRO | {"qber_threshold": 0.01})
    made = api.post("qkd/generate", {"key_length": 1024, "link": "metro"}).json()
    found = detections.judge(made["session_id"], actor=TESTS)
    assert (found.threshold, found.outcome) == (0.01, "compromised")


@requirement("A10")
def test_a_default_link_is_there_after_the_first_start(admin_api, api):
    from apps.common.scheduling import Schedule, parts_of

    (part,) = [part for part in parts_of(Schedule.REFILL) if part.name == "built-in links"]
    part.run()
    part.run()
    assert [link["link_id"] for link in api.get("links").json()["items"]] == ["default"]
    assert {link["link_id"] for link in admin_api.get("links").json()["items"]} == {"default", "stock"}


@requirement("A10", "I9")
def test_what_others_do_over_a_link_is_its_owners_and_overseers_to_see(admin_api, api, other_api):
    services.make("ours", name="Ours", owner=str(api.actor), users=[str(other_api.actor)], actor=TESTS)
    for path in ("links/ours/history", "links/ours/statistics"):
        assert [one.get(path).status_code for one in (admin_api, api, other_api)] == [200, 200, 404]
    assert other_api.get("links/ours").status_code == 200
    assert other_api.post("links", METRO).status_code == 403
    assert other_api.post("links/ours/state", {"state": "paused", "reason": "x"}).status_code == 403


@requirement("A10")
def test_statistics_tell_of_the_latest_sessions_and_the_stock_over_a_link(admin_api):
    a_link("metro")
    empty = admin_api.get("links/metro/statistics").json()
    assert (empty["sessions"], empty["qber_mean"], empty["ready_keys"]) == (0, None, 0)
    ready(link="metro")
    ready(link="metro")
    ready(link="default")
    found = admin_api.get("links/metro/statistics").json()
    assert (found["sessions"], found["by_status"], found["ready_keys"]) == (2, {"ready": 2}, 8)
    assert 0 <= found["qber_mean"] <= found["qber_highest"] < 0.1
    assert found["final_bits"] == 2048


@requirement("A10", "I8")
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"link_id": "a b"}, "link_id"),
        ({"link_id": "x" * 65}, "link_id"),
        ({"users": ["nobody"]}, "users.0"),
        ({"users": [{}]}, "users.0"),
        ({"owner": "*"}, "owner"),
        ({"parameters": {"channel": "no-such"}}, "parameters.channel"),
        ({"parameters": {"channel": {"distance_km": -1}}}, "parameters.channel.distance_km"),
        ({"parameters": {"channel": "gys2005", "error_rate": 0.1}}, "parameters"),
        ({"parameters": {"speed": 1}}, "parameters.speed"),
        ({"qber_threshold": 0}, "qber_threshold"),
        ({"qber_threshold": 0.6}, "qber_threshold"),
        ({"low_water": None}, "target"),
        ({"low_water": 65}, "target"),
        ({"target": 10**9}, "target"),
        ({"low_water": True}, "low_water"),
        ({"state": "paused"}, "state"),
    ],
    ids=str,
)
def test_what_a_link_cannot_be_is_told_by_field(admin_api, changed, field):
    answer = admin_api.post("links", METRO | changed)
    assert answer.status_code == 400, answer.content
    assert field in {error["field"] for error in answer.json()["errors"]}


@requirement("A10")
def test_marks_of_the_stock_itself_are_settings(admin_api):
    services.ensure_all_built_in()
    answer = admin_api.call("PATCH", "links/stock", {"low_water": 1, "target": 2, "reason": "x"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "low_water")


@requirement("A10")
def test_the_request_of_a_session_has_what_its_link_says(aws):
    from apps.sessions.services import over

    link = services.make("m", name="m", parameters={"channel": "gys2005"}, actor=TESTS)
    assert over(GenerateRequest(link="m"), link).channel == "gys2005"
    assert over(GenerateRequest(link="m", channel="gys2005"), link).channel == "gys2005"
