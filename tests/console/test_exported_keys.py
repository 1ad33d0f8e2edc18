"""A key that a second person allowed to be exported is given out at the console: sealed, once."""

import base64
from typing import Any

import pytest
from django.test import Client

from apps.custody import approvals, exporting
from apps.keys import services as keys
from qkdseal import kem
from qkdseal.kem import Suite
from tests import requirement
from tests.console.pages import APPROVALS
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
