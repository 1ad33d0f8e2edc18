"""The overview: charts, figures and tables of what the platform does now."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.access import ready_roles
from apps.access.roles import Role
from apps.alerts import services as alerts
from apps.alerts.conditions import COMPROMISED, Noticed
from apps.audit.console import ROUTINE
from apps.audit.records import Actor, ActorKind, Event, Outcome, system
from apps.audit.services import record
from apps.audit.trail import AuditEvent
from apps.common import clock
from apps.common.aws import client as aws_client
from apps.common.declarations import members, modules_named
from apps.common.errors import Unavailable
from apps.detections import services as detections
from apps.following import services as following
from apps.keys import pools
from apps.keys import services as keys
from apps.sessions import transitions
from apps.sessions.console import judged as overview
from tests import requirement
from tests.conftest import TESTS
from tests.console.demo import ALICE, Demo, make_session
from tests.console.test_roles import as_role
from tests.sessions.links import a_link

DATA = "/admin/dashboard/data/"
pytestmark = requirement("F3")


def panels(client: Client) -> dict[str, Any]:
    return {panel["name"]: panel for panel in client.get(DATA).json()["panels"]}


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_chart_has_every_recent_session_against_the_threshold(console: Client, filled: Demo) -> None:
    chart = panels(console)["qber"]["chart"]
    assert chart["threshold"] == pytest.approx(11.0)
    assert len(chart["points"]) == 14
    attacked = next(point for point in chart["points"] if filled.compromised.session_id in point["url"])
    assert attacked["tone"] == "bad"
    assert attacked["low"] < attacked["value"] < attacked["high"]
    assert attacked["value"] == pytest.approx(100 * filled.compromised.estimated_qber)


def test_the_page_carries_the_same_data_as_json(console: Client, filled: Demo) -> None:
    html = console.get("/admin/").content.decode()
    found = re.search(r'<script id="chart-qber" type="application/json">(.*?)</script>', html)
    assert found
    assert json.loads(found[1])["points"] == panels(console)["qber"]["chart"]["points"]


def test_figures_count_what_there_is(console: Client, filled: Demo) -> None:
    shown = {name: text(panel["body"]) for name, panel in panels(console).items()}
    assert list(shown) == ["attention", "qber", "stock", "pool", "jobs", "audit"]
    assert "Ready 11 +11 Pending 1 +1 Aborted 0 Study 0 Revoked 0 Compromised 2 +2" in shown["qber"]
    assert shown["stock"].startswith("Ready 15"), "those of the platform's own sessions"
    assert re.search(r"default (\d+) of 100 active oldest", shown["pool"])
    assert "2 cases wait to be acknowledged, 1 of them critical." in shown["attention"]
    assert "7 / 20" in shown["jobs"]
    assert "API key: issued" in shown["audit"]


def test_the_overview_tells_of_notable_entries_and_of_no_routine(console: Client) -> None:
    """What failed is notable, whoever did it, and what somebody did themselves."""
    assert set(map(str, members(Event, modules_named("trail")))) >= ROUTINE, "these are events"
    cleaner, person = system("cleaner"), Actor(ActorKind.USER, "somebody")
    record(person, AuditEvent.CHECKPOINTED)
    record(cleaner, AuditEvent.CHECKPOINTED, outcome=Outcome.FAILED)
    for _ in range(12):
        record(cleaner, AuditEvent.CHECKPOINTED)
    shown = text(panels(console)["audit"]["body"])
    assert shown.count("audit: checkpointed") == 2
    assert "failed" in shown
    assert "somebody" in shown


def test_where_nothing_is_notable_the_overview_says_so(console: Client) -> None:
    for _ in range(60):
        record(system("cleaner"), AuditEvent.CHECKPOINTED)
    assert "what the platform does by itself" in panels(console)["audit"]["body"]


def test_an_empty_platform_says_what_to_do(console: Client) -> None:
    shown = panels(console)
    assert shown["qber"]["chart"]["points"] == []
    assert "No session was run in the last 24h" in shown["qber"]["body"]
    assert "pool is empty" in shown["pool"]["body"]
    assert "There is no key pool yet: nothing can be encrypted." in shown["attention"]["body"]
    assert "No quantum key is ready: nothing can be encrypted." in shown["attention"]["body"]


def test_it_renews_itself(console: Client, filled: Demo) -> None:
    before = panels(console)["qber"]["chart"]["points"][-1]["tone"]
    detections.judge(filled.pending.session_id, actor=ALICE)
    assert (before, panels(console)["qber"]["chart"]["points"][-1]["tone"]) == ("wait", "good")


def test_a_panel_that_fails_leaves_the_others_alone(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(**_: Any) -> None:
        raise Unavailable("Try again.")

    monkeypatch.setattr(keys, "keys_page", down)
    shown = panels(console)
    assert "Not available right now. Try again." in shown["pool"]["body"]
    assert "Not known right now: Try again." in shown["attention"]["body"]
    assert "No session was run" in shown["qber"]["body"]
    assert console.get("/admin/").status_code == 200


def test_it_asks_aws_for_at_most_twelve_pages_and_never_scans(
    console: Client, filled: Demo, calls: list[str]
) -> None:
    console.get("/admin/")  # the pools, and the last verification, are remembered for a while
    calls.clear()
    console.get("/admin/")
    assert set(calls) <= {"Query", "BatchGetItem", "GetQueueAttributes"}
    assert len([call for call in calls if call != "BatchGetItem"]) <= 12, calls
    assert len(calls) <= 18, "of lists that hold keys only, the rows"


def qber(client: Client, **query: str) -> dict[str, Any]:
    found = {panel["name"]: panel for panel in client.get(DATA, query).json()["panels"]}["qber"]
    return {"body": text(found["body"]), "chart": found["chart"]}


@pytest.fixture
def crowded(console: Client, mid_month: None, monkeypatch: pytest.MonkeyPatch) -> Client:
    """More sessions than are read: of one link six, one of which was tapped, and one of another; all added up."""
    monkeypatch.setattr(overview, "READ", 3)
    make_session(0.02, eavesdropper={"kind": "intercept_resend", "fraction": 1.0})
    for _ in range(5):
        make_session(0.02, key_length=64)
    a_link("metro")
    make_session(0.03, link="metro", key_length=64)
    following.catch_up()
    return console


@requirement("I6")
def test_it_asks_for_no_more_where_there_are_more_sessions_than_it_reads(
    console: Client, filled: Demo, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an open alert, too; the rollups of two months are two Queries."""
    alerts.raise_alert(Noticed(COMPROMISED, "metro", {"case_id": "case-1"}))
    monkeypatch.setattr(overview, "READ", 3)
    following.catch_up()
    console.get("/admin/")  # that there are more is remembered for a while, too
    calls.clear()
    assert "13 sessions were judged in the last 24h." in console.get("/admin/").content.decode()
    months = {moment.month for moment in (clock.now(), clock.now() - timedelta(hours=48))}
    assert len([call for call in calls if call != "BatchGetItem"]) <= 11 + len(months), calls


def test_of_many_sessions_the_chart_has_means_and_the_compromised_apart(crowded: Client) -> None:
    found = qber(crowded)
    points = {point["series"]: point for point in found["chart"]["points"]}
    assert list(points) == ["default", "default, compromised", "metro"]
    assert [point["count"] for point in points.values()] == [5, 1, 1]
    assert [point["joined"] for point in points.values()] == [True, False, True]
    assert points["default"]["value"] < 11 < points["default, compromised"]["value"]
    assert [point["tone"] for point in points.values()] == ["good", "bad", "good"]
    assert "link=default" in points["default"]["url"]
    assert all(found["chart"]["since"] <= point["at"] for point in points.values())
    assert "A point is the mean of an hour" in found["body"]


def test_a_mean_leads_to_the_sessions_of_its_day_and_link(crowded: Client) -> None:
    points = {point["series"]: point["url"] for point in qber(crowded)["chart"]["points"]}
    for series, count in (("default", 6), ("default, compromised", 1), ("metro", 1)):
        assert len(crowded.get(points[series]).context["cl"].result_list) == count


def test_figures_count_all_sessions_however_many_there_are(crowded: Client) -> None:
    assert "Ready 6 +6 Pending 0 Aborted 0 Study 0 Revoked 0 Compromised 1 +1" in qber(crowded)["body"]
    assert "Ready 1 +1" in qber(crowded, link="metro")["body"], "few over this link: each is read"


def test_what_was_revoked_and_what_waits_are_counted_too(crowded: Client) -> None:
    revoked = make_session(0.02, key_length=64)
    transitions.revoke(revoked.session_id, reason="tried", actor=ALICE)
    make_session(0.02, key_length=64, judged=False)
    following.catch_up()
    assert "Ready 7 +7 Pending 1 Aborted 0 Study 0 Revoked 1 +1 Compromised 1" in qber(crowded)["body"]
    make_session(0.02, link="metro", judged=False)
    for _ in range(4):
        make_session(0.03, link="metro", key_length=64)
    following.catch_up()
    assert "Ready 5 +5 Pending 1 " in qber(crowded, link="metro")["body"]


def test_figures_change_from_one_day_to_the_next(crowded: Client, later: Callable[..., None]) -> None:
    later(hours=25)
    for _ in range(8):
        make_session(0.02, key_length=64)
    following.catch_up()
    found = qber(crowded)
    assert "Ready 8 +2" in found["body"]
    assert "Compromised 0 -1" in found["body"]


@pytest.mark.parametrize("name", overview.WINDOWS)
def test_each_window_is_drawn_by_its_steps(crowded: Client, later: Callable[..., None], name: str) -> None:
    window = overview.WINDOWS[name]
    later(seconds=2 * window.step.length.total_seconds())
    for _ in range(5):
        make_session(0.02, key_length=64)
    following.catch_up()
    found = qber(crowded, range=name)
    points = [point for point in found["chart"]["points"] if point["series"] == "default"]
    assert len(points) >= 2
    assert sum(point["count"] for point in points) == 10
    step = 1000 * window.step.length.total_seconds()
    assert {point["at"] % step for point in points[:-1]} == {step / 2}, (
        "in the middle of what it is the mean of"
    )
    assert f"12 sessions were judged in the last {name}" in found["body"]


def test_no_more_is_drawn_than_there_is_room_for(crowded: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "POINTS", 2)
    found = qber(crowded)
    assert {point["series"] for point in found["chart"]["points"]} == {"default", "default, compromised"}
    assert "Not drawn: 1 link with fewer sessions." in found["body"]
    assert "Ready 6" in found["body"]


def test_rollups_that_are_behind_hide_no_session_that_was_read(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        make_session(0.02, key_length=64)
    monkeypatch.setattr(overview, "READ", 3)
    found = qber(console)
    assert len(found["chart"]["points"]) == 3
    assert "Ready ≥ 3" in found["body"]
    assert "there are more" in found["body"]


@requirement("D3")
def test_who_does_not_see_everybody_s_sessions_is_told_of_none_of_them(
    crowded: Client,
) -> None:
    ready_roles.sync()
    found = qber(as_role(Role.CLIENT))
    assert found["chart"]["points"] == []
    assert "No session was run" in found["body"]


def test_a_window_and_a_link_are_chosen(console: Client, filled: Demo, later: Callable[..., None]) -> None:
    def chart(**query: str) -> Any:
        found = {panel["name"]: panel for panel in console.get(DATA, query).json()["panels"]}
        return found["qber"]["chart"]

    assert {point["series"] for point in chart(link="metro")["points"]} == {"metro"}
    everything = chart()
    assert {point["series"] for point in everything["points"]} == {"default", "metro", "stock"}
    assert all(point["at"] >= everything["since"] for point in everything["points"])
    later(hours=3)
    assert chart(range="1h")["points"] == []
    assert len(chart(range="24h")["points"]) == 14
    assert len(chart(range="nonsense")["points"]) == 14


def test_the_stock_is_counted_beyond_the_first_sessions(console: Client, stock: Any) -> None:
    before = text(panels(console)["stock"]["body"])
    make_session(0.01, key_length=8192, link="stock", actor=TESTS)
    after = text(panels(console)["stock"]["body"])
    assert before.startswith("Ready 16 ")
    assert after.startswith("Ready 48 ")


def test_a_pool_without_an_active_key_has_its_row_and_an_alarm(console: Client) -> None:
    pools.make("vault", actor=ALICE)
    shown = panels(console)
    assert "0 of 100 active" in text(shown["pool"]["body"])
    assert "Pool vault has no active key: nothing can be encrypted with it." in shown["attention"]["body"]


def test_a_failed_job_and_a_dead_letter_need_attention(console: Client, filled: Demo) -> None:
    sqs = aws_client("sqs")
    url = sqs.get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    told = text(panels(console)["attention"]["body"])
    assert "1 job failed in the last 24 h." in told
    assert "1 dead letter waits" in told
