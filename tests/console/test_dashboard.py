"""The overview: charts, figures and tables of what the platform does now."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from apps.common.errors import Unavailable
from apps.detections import services as detections
from apps.keys import services as keys
from tests import requirement
from tests.console.demo import ALICE, Demo

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
    assert json.loads(found[1]) == panels(console)["qber"]["chart"]


def test_figures_count_what_there_is(console: Client, filled: Demo) -> None:
    shown = {name: text(panel["body"]) for name, panel in panels(console).items()}
    assert list(shown) == ["qber", "stock", "pool", "detections", "jobs", "audit"]
    assert "Ready 11 Pending 1 Aborted 0 Compromised 2" in shown["qber"]
    assert shown["stock"].startswith("Ready 16"), "those of the platform's own sessions"
    assert "active 10" in shown["pool"]
    assert "revoked 1" in shown["pool"]
    assert shown["detections"].count("compromised") == 2
    assert "7 / 20" in shown["jobs"]
    assert "api key: issued" in shown["audit"]


def test_an_empty_platform_says_what_to_do(console: Client) -> None:
    shown = panels(console)
    assert shown["qber"]["chart"]["points"] == []
    assert "Generate one" in shown["qber"]["body"]
    assert "pool is empty" in shown["pool"]["body"]
    assert "No compromised or anomalous sessions" in shown["detections"]["body"]


def test_it_renews_itself(console: Client, filled: Demo) -> None:
    before = panels(console)["qber"]["chart"]["points"][-1]["tone"]
    detections.judge(filled.pending.session_id, actor=ALICE)
    assert (before, panels(console)["qber"]["chart"]["points"][-1]["tone"]) == ("wait", "good")


def test_a_panel_that_fails_leaves_the_others_alone(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> None:
        raise Unavailable("Try again.")

    monkeypatch.setattr(keys, "counts", down)
    shown = panels(console)
    assert "Not available right now. Try again." in shown["pool"]["body"]
    assert "Generate one" in shown["qber"]["body"]
    assert console.get("/admin/").status_code == 200


def test_it_asks_dynamodb_for_a_page_of_each_and_never_scans(
    console: Client, filled: Demo, calls: list[str]
) -> None:
    calls.clear()
    console.get("/admin/")
    assert set(calls) == {"Query"}
    assert len(calls) <= 14  # sessions 1, stock 1, pool 7 states, detections 2, jobs 1, audit 1
