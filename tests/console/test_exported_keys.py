"""A key that a second person allowed to be exported is given out at the console: sealed, once."""

import base64
from typing import Any

import pytest
from django.test import Client

from apps.access.users import User
from apps.audit.records import Actor, ActorKind
from apps.custody import approvals, destruction, exporting, retirement
from apps.custody.console import forget
from apps.keys import services as keys
from qkdseal import kem
from qkdseal.kem import Suite
from tests import requirement
from tests.console.pages import APPROVALS, act, messages_of
from tests.custody.people import ALICE, BOB, admit

pytestmark = requirement("C5", "F2")


@pytest.fixture
def recipient() -> Any:
    """Whom the key is sealed to."""
    return kem.generate_key_pair(Suite.XWING)


@pytest.fixture
def asked(aws: None, recipient: Any) -> Any:
    """A request for an export that nobody has decided on."""
    admit(ALICE)
    admit(BOB)
    key = keys.create(1, actor=ALICE)[0]
    return exporting.request(
        key.key_id, recipient=recipient.public_key, suite=Suite.XWING, reason="moves", actor=ALICE
    )


def test_an_approved_export_is_one_file_that_its_recipient_opens(
    console: Client, asked: Any, recipient: Any
) -> None:
    page, record = (
        f"{APPROVALS}{asked.approval_id}/give-out/", f"{APPROVALS}{asked.approval_id}/change/"
    )  # fmt: skip
    assert page not in console.get(record).content.decode(), "nobody has allowed it"
    approvals.approve(asked.approval_id, actor=BOB)
    assert page in console.get(record).content.decode()
    shown = console.get(page)
    assert kem.fingerprint(recipient.public_key) in shown.content.decode()
    answer = console.post(page, {"once": shown.context["once"]})
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{asked.subject}.json"'
    assert "no-store" in answer.headers["Cache-Control"]
    given = answer.json()
    seed = kem.open_secret(
        base64.b64decode(given["sealed_seed"]),
        suite=Suite.XWING,
        seed=recipient.seed,
        info=base64.b64decode(given["info"]),
    )
    assert kem.public_key_of(seed, suite=Suite.XWING) == keys.find(asked.subject).public_key
    again = console.post(page, {"once": console.get(page).context["once"]})
    assert "Content-Disposition" not in again.headers
    assert "used" in again.content.decode()


def test_who_asked_is_offered_no_approval_and_told_once_it_is_allowed(
    console: Client, admitted_admin: None, recipient: Any
) -> None:
    me = Actor(ActorKind.USER, str(User.objects.get(username="admin").pk))
    admit(BOB)
    key = keys.create(1, actor=me)[0]
    mine = exporting.request(
        key.key_id, recipient=recipient.public_key, suite=Suite.XWING, reason="moves", actor=me
    )
    record = f"{APPROVALS}{mine.approval_id}/change/"
    offered = [one["name"] for one in console.get(record).context["buttons"]]
    assert offered == ["withdraw"]
    by_address = console.get(f"{APPROVALS}do/approve/", {"id": mine.approval_id})
    assert "Not possible as it stands now" in by_address.content.decode()
    assert "second person" not in console.get("/admin/").content.decode()
    approvals.approve(mine.approval_id, actor=BOB)
    forget()  # half a minute later
    assert (
        "1 request of yours was allowed. Carry it out before it expires."
        in console.get("/admin/").content.decode()
    )


def test_what_becomes_of_a_destruction_that_is_carried_out_is_told(
    console: Client, admitted_admin: None
) -> None:
    me = Actor(ActorKind.USER, str(User.objects.get(username="admin").pk))
    admit(BOB)
    key, _ = keys.create(2, actor=me)
    retirement.revoke(key.key_id, reason="leaked", actor=me)
    asked = destruction.request(key.key_id, reason="not needed", actor=me)
    approvals.approve(asked.approval_id, actor=BOB)
    told = messages_of(act(console, APPROVALS, "carry-out", [asked.approval_id]))[0]
    assert "is destroyed after <time" in told
    assert "Until then its destruction can be cancelled there." in told


def test_nothing_is_given_out_before_it_is_approved_or_without_the_right(
    console: Client, person: Any, asked: Any
) -> None:
    page = f"{APPROVALS}{asked.approval_id}/give-out/"
    refused = console.post(page, {"once": console.get(page).context["once"]})
    assert "Content-Disposition" not in refused.headers
    approvals.approve(asked.approval_id, actor=BOB)
    assert person("custody.view_approval").get(page).status_code == 403
    assert person("custody.use_approval").get(page).status_code == 403
    assert console.get(f"{APPROVALS}ap-nosuch/give-out/").status_code == 404
