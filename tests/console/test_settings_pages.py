"""Links, pools and applications are made and changed at the console; reports are had made, and read."""

import html
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.audit import services as audit
from apps.common import clock
from apps.jobs import services as jobs
from apps.keys import pools
from apps.kme import saes
from apps.links import services as links
from apps.links.records import LinkSource
from apps.reports import services as reports
from apps.reports import tasks
from tests import requirement
from tests.conftest import TESTS
from tests.console.demo import ALICE
from tests.console.pages import LINKS, POOLS, REPORTS, SAES, act, ids, send

pytestmark = requirement("F2", "D4")


def shown(client: Client, url: str) -> dict[str, Any]:
    """What stands in a form, as a browser would send it back."""
    form = client.get(url).context["form"]
    values = {field.html_name: field.value() for field in form}
    return {name: value for name, value in values.items() if value not in (None, False)}


def test_a_link_is_made_and_changed(console: Client) -> None:
    given = {
        "link_id": "metro",
        "name": "Metro",
        "source": "simulator",
        "users": "*",
        "parameters": '{"error_rate": 0.02}',
    }
    made = send(console, f"{LINKS}make/", **given)
    assert made["Location"] == f"{LINKS}metro/change/"
    url = f"{LINKS}metro/settings/"
    assert url in console.get(made["Location"]).content.decode()
    nothing = send(console, url, **shown(console, url), reason="why not")
    assert b"Nothing is different" in nothing.content
    changed = send(
        console, url, **(shown(console, url) | {"qber_threshold": "0.05", "users": ""}), reason="a new fibre"
    )
    assert changed.status_code == 302
    found = links.find("metro")
    assert (found.qber_threshold, found.users, found.parameters) == (0.05, (), {"error_rate": 0.02})
    assert links.history("metro", limit=1).records[0].reason == "a new fibre"
    wrong = send(console, url, **(shown(console, url) | {"low_water": "5"}), reason="x")
    assert b"give both" in wrong.content
    assert b"Enter an object" in send(console, f"{LINKS}make/", **given | {"parameters": "[1]"}).content
    assert console.get(f"{LINKS}nosuch/settings/").status_code == 404


def test_the_times_of_day_of_a_link_are_shown_and_set(console: Client) -> None:
    times = ("22:00-06:00", "08:00-09:00")
    links.make("metro", name="Metro", low_water=4, target=8, schedule=times, actor=ALICE)
    url = f"{LINKS}metro/settings/"
    assert "08:00-09:00, 22:00-06:00" in console.get(f"{LINKS}metro/change/").content.decode()
    given = shown(console, url)
    assert b"Nothing is different" in send(console, url, **given, reason="x").content
    send(console, url, **(given | {"schedule": "00:00-24:00"}), reason="all day")
    assert links.find("metro").schedule == ("00:00-24:00",)
    assert b"1 to 24 times of day" in send(console, url, **(given | {"schedule": "8-9"}), reason="x").content
    send(console, url, **(given | {"schedule": ""}), reason="by demand")
    assert links.find("metro").schedule is None


def test_where_an_application_collects_its_keys_is_shown_and_set(
    console: Client, admitted_admin: None
) -> None:
    channel = {"role": "alice", "base_url": "https://b.example", "peer": "site-b", "client": "site"}
    links.make("metro", name="Metro", source=LinkSource.OTHER_SITE, parameters=channel, actor=ALICE)
    links.make("plain", name="Plain", actor=ALICE)
    saes.register("sae-a", name="A", subject="CN=sae-a", peers=("sae-z", "sae-b"), actor=TESTS)
    url = f"{SAES}sae-a/settings/"
    assert "at the other site" not in console.get(f"{SAES}sae-a/change/").content.decode()
    given = shown(console, url)
    assert b"Nothing is different" in send(console, url, **given, reason="x").content
    assert (
        b"another site of the platform"
        in send(console, url, **(given | {"site": "plain"}), reason="x").content
    )
    send(console, url, **(given | {"site": "metro"}), reason="moved")
    assert saes.find("sae-a").site == "metro"
    assert "at the other site" in console.get(f"{SAES}sae-a/change/").content.decode()


def test_a_pool_is_changed(console: Client) -> None:
    pools.make("archive", about="old", actor=ALICE)
    url = f"{POOLS}archive/settings/"
    assert url in console.get(f"{POOLS}archive/change/").content.decode()
    given = shown(console, url)
    assert b"Nothing is different" in send(console, url, **given, reason="x").content
    assert (
        send(console, url, **(given | {"target": "50", "purposes": ["files"]}), reason="more").status_code
        == 302
    )
    found = pools.read().find("archive")
    assert (found.target, found.purposes, found.about) == (50, ("files",), "old")
    assert console.get(f"{POOLS}nosuch/settings/").status_code == 404


def test_an_application_is_registered_changed_and_revoked(console: Client, admitted_admin: None) -> None:
    assert (
        b"either fingerprints or a subject"
        in send(console, f"{SAES}register/", sae_id="sae-a", name="A").content
    )
    send(console, f"{SAES}register/", sae_id="sae-a", name="A", subject="CN=sae-a", peers="sae-b\nsae-c\n\n")
    assert saes.find("sae-a").peers == ("sae-b", "sae-c")
    url = f"{SAES}sae-a/settings/"
    assert url in console.get(f"{SAES}sae-a/change/").content.decode()
    assert console.get(f"{SAES}sae-a/change/?tab=related").status_code == 200
    send(console, url, **(shown(console, url) | {"keys_a_day": "100", "peers": "*"}), reason="grows")
    assert (saes.find("sae-a").keys_a_day, saes.find("sae-a").peers) == (100, ("*",))
    act(console, SAES, "revoke", ["sae-a"], reason="lost")
    assert not saes.find("sae-a").is_active
    assert "Change…" not in console.get(f"{SAES}sae-a/change/").content.decode()
    assert (
        b"Register another"
        in send(console, url, **(shown(console, url) | {"peers": "x"}), reason="x").content
    )


def test_a_report_is_had_made_and_a_file_of_it_read(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    yesterday = f"{clock.now() - timedelta(days=1):%Y-%m-%d}"
    last = shown(console, f"{REPORTS}make/")
    assert last["last"] < f"{clock.now():%Y-%m-%d}"
    assert (
        b"has to be over"
        in send(console, f"{REPORTS}make/", first=yesterday, last=f"{clock.now():%Y-%m-%d}").content
    )
    send(console, f"{REPORTS}make/", first=yesterday, last=yesterday)
    tasks.compliance(jobs.listed(actor=ALICE, limit=1).records[0].job_id)
    report = ids(console.get(REPORTS))[0]
    page = console.get(f"{REPORTS}{report}/change/").content.decode()
    url = f"{REPORTS}{report}/read/report.html/"
    assert url in page
    assert audit.entries_page(limit=1).records[0].event != "report.read"
    answer = send(console, url)
    key = str(reports.find(report).files["report.html"]["key"])
    assert key in answer.content.decode()
    assert audit.entries_page(limit=1).records[0].event == "report.read"
    assert console.get(f"{REPORTS}{report}/read/nosuch/").status_code == 404
    monkeypatch.setattr(reports, "HELD", 1)  # of many files its row has only the index
    monkeypatch.setattr(reports, "_entries_of", lambda _: iter(audit.entries_page(limit=1).records))
    send(console, f"{REPORTS}make/", first=yesterday, last=yesterday)
    tasks.compliance(jobs.listed(actor=ALICE, limit=1).records[0].job_id)
    (long,) = (
        one for one in ids(console.get(REPORTS)) if "files.json" in reports.find(one).files and one != report
    )
    name = next(name for name in reports.files_of(reports.find(long).files) if name.endswith(".csv.gz"))
    url = f"{REPORTS}{long}/read/{name}/"
    assert url in console.get(f"{REPORTS}{long}/change/").content.decode()
    assert b"Signature" in send(console, url).content
    assert console.get(f"{REPORTS}nosuch/read/report.html/").status_code == 404


@pytest.mark.parametrize("field", ["parameters", "seen"])
def test_brackets_without_end_are_a_wrong_value_and_no_error_of_ours(console: Client, field: str) -> None:
    links.make("metro", name="Metro", actor=ALICE)
    deep = '{"a":' + "[" * 5000
    page = send(
        console, f"{LINKS}metro/settings/", **(shown(console, f"{LINKS}metro/settings/") | {field: deep})
    )
    assert page.status_code == 200
    assert page.context["form"].errors
    if field == "parameters":
        assert page.context["form"].errors["parameters"] == ["Too many brackets within each other."]
        assert deep in html.unescape(page.content.decode())


def seen_by(client: Client, url: str) -> dict[str, Any]:
    """A settings page as it stands in somebody's browser: what it shows, and the marks of that."""
    return shown(client, url) | {"seen": client.get(url).context["seen"]}


@pytest.mark.parametrize("kind", ["link", "pool", "application"])
def test_what_somebody_else_changed_meanwhile_is_told_and_not_set_back(
    console: Client, admitted_admin: None, kind: str
) -> None:
    links.make("metro", name="Metro", low_water=4, target=8, actor=ALICE)
    pools.make("apart", target=4, actor=ALICE)
    saes.register("sae-a", name="A", subject="CN=sae-a", keys_a_day=5, actor=TESTS)
    url, label, name, find = {
        "link": (f"{LINKS}metro/settings/", "Low-water mark (quantum keys)", "low_water", lambda: links.find("metro")),
        "pool": (f"{POOLS}apart/settings/", "Target (active keys)", "target", lambda: pools.see("apart", actor=ALICE)),
        "application": (f"{SAES}sae-a/settings/", "Keys a day", "keys_a_day", lambda: saes.find("sae-a")),
    }[kind]  # fmt: skip
    other = {"pool": "about"}.get(kind, "name")
    first, second = seen_by(console, url), seen_by(console, url)
    assert send(console, url, **(first | {name: "7"}), reason="more").status_code == 302
    refused = send(console, url, **(second | {other: "Called so"}), reason="a better name")
    assert f"Somebody else changed this since you opened the page: {label} (now 7)" in str(
        refused.context["form"].non_field_errors()
    )
    assert refused.context["form"][other].value() == "Called so"
    assert getattr(find(), name) == 7
    knowing = second | {other: "Called so", name: "7", "seen": refused.context["seen"]}
    assert send(console, url, **knowing, reason="a better name").status_code == 302
    assert (getattr(find(), name), getattr(find(), other)) == (7, "Called so")
