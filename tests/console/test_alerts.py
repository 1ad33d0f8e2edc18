"""Alerts at the console: from the overview to what to do, and where."""

from collections.abc import Callable
from html import unescape
from typing import Any

from django.test import Client

from apps.alerts import admin as shown
from apps.alerts import services as alerts
from apps.alerts.conditions import COMPROMISED, EXPIRING, QUOTA_NEAR, STOCK_LOW, WAITING, Noticed
from tests import requirement
from tests.console.demo import ALICE, Demo
from tests.console.pages import ALERTS, CASES, CLIENTS, DETECTIONS, LINKS, act

pytestmark = requirement("F1", "F2", "B8")


def attention(client: Client) -> str:
    """What waits for a person, on the overview."""
    panels = client.get("/admin/dashboard/data/").json()["panels"]
    return next(str(panel["body"]) for panel in panels if panel["name"] == "attention")


def test_an_open_alert_leads_from_the_overview_to_what_to_do_and_to_its_records(
    console: Client, filled: Demo
) -> None:
    session = filled.compromised.session_id
    detail = {"case_id": f"case-{session}", "session_id": session}
    raised = alerts.raise_alert(Noticed(COMPROMISED, "metro", detail))
    page = f"{ALERTS}{raised.alert_id}/change/"
    assert page in attention(console)
    assert COMPROMISED.action in unescape(console.get(page).content.decode())
    related = console.get(page, {"tab": "related"}).content.decode()
    for url in (
        f"{CASES}case-{session}/change/", f"{DETECTIONS}{session}/change/", f"{LINKS}metro/change/"
    ):  # fmt: skip
        assert f'href="{url}"' in related, url
        assert console.get(url).status_code == 200
    assert (
        f"{CASES}case-{session}/change/"
        in console.get(f"{DETECTIONS}{session}/change/", {"tab": "related"}).content.decode()
    ), "and a verdict to its case"
    act(console, ALERTS, "acknowledge", [raised.alert_id])
    assert "alert" not in attention(console)


def test_an_alert_that_is_acknowledged_elsewhere_is_gone_at_once(console: Client) -> None:
    raised = alerts.raise_alert(Noticed(STOCK_LOW, "stock"))
    assert "An alert is open" in attention(console)
    alerts.acknowledge(raised.alert_id, actor=ALICE)  # by another process, or the API
    assert "An alert is open" not in attention(console)


def test_other_alerts_lead_to_where_they_are_looked_into(
    console: Client, filled: Demo, later: Callable[..., None]
) -> None:
    stuck = {"count": 3, "action": "Look there.", "examples": []}
    noticed = [
        (Noticed(WAITING, "uploads that wait", stuck), "/admin/page/health/"),
        (Noticed(STOCK_LOW, "stock"), "/admin/page/stock/"),
        (Noticed(EXPIRING, f"api_key {filled.key_id}"), f"{CLIENTS}{filled.key_id}/change/"),
        (Noticed(QUOTA_NEAR, "service:x keys", {"principal": "service:x"}), f"{CLIENTS}quotas/service:x/"),
    ]
    pages = {}
    for one, address in noticed:
        page = f"{ALERTS}{alerts.raise_alert(one).alert_id}/change/"
        pages[one.condition.name] = console.get(page).content.decode()
        assert address in console.get(page, {"tab": "related"}).content.decode(), one
    assert "Look there." in pages[WAITING.name]
    assert f"{len(noticed) - 1} alerts are open, first of them:" in attention(console), (
        "what waits may be gone"
    )
    later(minutes=5)
    alerts.raise_alert(noticed[0][0])
    shown.forget()
    assert f"{len(noticed)} alerts are open, first of them:" in attention(console), "it is still there"


def test_an_alert_leads_only_where_the_reader_may_go(person: Any, filled: Demo) -> None:
    client = person("alerts.view_alert")
    session = filled.compromised.session_id
    raised = alerts.raise_alert(Noticed(COMPROMISED, "metro", {"session_id": session}))
    html = client.get(f"{ALERTS}{raised.alert_id}/change/", {"tab": "related"}).content.decode()
    assert f"{DETECTIONS}{session}" not in html
    assert f"{LINKS}metro" not in html
