"""Every page and every action of the console under attack: sent without a right, by a link, twice, stale, for others' records.

What an attack must not do is write: calls to AWS are looked at, and the users' database.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client

from apps.access.models import User
from apps.audit import services as audit
from apps.audit.records import Outcome
from apps.console.actions import Action
from apps.console.store_admin import StoreAdmin
from qkdplatform import console_urls  # noqa: F401 - registers what every_action goes through
from tests import requirement
from tests.console.demo import Demo
from tests.console.pages import FILES, JOBS, SESSIONS, crawled
from tests.console.test_lists import destruction_asked

pytestmark = requirement("F6", "I9")
WRITES = ("Put", "Update", "Delete", "TransactWrite", "BatchWrite", "Send", "Copy", "Create", "Complete")
OWN = ("/admin/logout/", "/admin/password_change/", "/accounts/")  # pages that are everybody's
EXPORTS = "/export/"  # is recorded before its first byte, and changes nothing else
GIVEN = {
    "reason": "because", "below_low_water": "on", "lose_messages": "on", "grantee": "user:eve", "right": "read",
    "storage_class": "GLACIER", "note": "x", "resolution": "false_alarm", "name": "eve", "role": "administrator",
    "username": "eve", "password1": "correct horse 1", "password2": "correct horse 1", "action": "delete_selected",
    "link_id": "eve", "source": "simulator", "users": "*", "count": "1", "key_length": "256", "error_rate": "0.02",
    "link": "default", "eavesdropper": "none", "hours": "1", "depth": "entries", "keys": "1", "is_superuser": "on",
    "post": "yes", "sae_id": "eve", "subject": "CN=eve",
}  # fmt: skip


def writes(calls: list[str]) -> list[str]:
    """The calls that may have changed something; what was asked is forgotten."""
    found = [call for call in calls if call.startswith(WRITES)]
    calls.clear()
    return found


def people() -> list[Any]:
    """All that the users' database says of who may do what."""
    users = User.objects.order_by("pk").values_list("pk", "username", "password", "is_active", "is_superuser")
    return [*users, *User.user_permissions.through.objects.values_list(), *Group.objects.values_list()]


def every_action(client: Client) -> Iterator[tuple[StoreAdmin, Action, list[str]]]:
    """Each action of each kind of records, with some ids of its list, or one that none has."""
    for one in admin.site._registry.values():
        if isinstance(one, StoreAdmin) and one.record_actions:
            shown = client.get(one.list_url()).context["cl"].result_list
            ids = [str(record.pk) for record in shown][:2] or ["nosuch"]
            yield from ((one, action, ids) for action in one.record_actions)


@pytest.mark.slow  # a crawl of the whole console
def test_no_page_changes_anything_by_being_opened_nor_by_what_others_send_to_it(
    console: Client, filled: Demo, calls: list[str]
) -> None:
    destruction_asked(filled)
    staff = Client()
    staff.force_login(User.objects.create_user("nobody", is_staff=True))
    known, wrong = people(), []
    writes(calls)
    for address, _ in crawled(console, of_a_kind=1):
        if (done := writes(calls)) and EXPORTS not in address:
            wrong.append(f"opened: {address} {done}")
        if address == "/admin/" or address.startswith(OWN):
            continue
        sent = staff.post(address, GIVEN | {"once": "x", "id": ["a"], "_selected_action": ["a"]})
        if sent.status_code not in {302, 400, 403, 404, 405} or (done := writes(calls)):
            wrong.append(f"by nobody: {address} {sent.status_code} {done}")
    assert people() == known
    assert wrong == []


def test_no_action_is_done_by_a_link_without_a_token_or_twice(
    console: Client, filled: Demo, calls: list[str]
) -> None:
    destruction_asked(filled)
    wrong = []
    for model_admin, action, ids in every_action(console):
        address, given = f"{model_admin.list_url()}do/{action.name}/", GIVEN | {"id": ids}
        writes(calls)
        token = console.get(address, given).context["once"]
        console.post(address, given)
        if done := writes(calls):
            wrong.append(f"{address} {done}")
        console.post(address, given | {"once": token})
        writes(calls)
        console.post(address, given | {"once": token})
        if done := writes(calls):
            wrong.append(f"twice: {address} {done}")
    assert wrong == []


def test_no_action_is_done_by_who_may_only_look_nor_from_another_site_nor_signed_out(
    console: Client, filled: Demo, admin_user: User, calls: list[str]
) -> None:
    destruction_asked(filled)
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    viewer.user_permissions.add(Permission.objects.get(codename="see_every_owner"))
    looks, foreign, stranger = Client(), Client(enforce_csrf_checks=True), Client()
    looks.force_login(viewer)
    foreign.force_login(admin_user)
    wrong = []
    for model_admin, action, ids in every_action(console):
        address = f"{model_admin.list_url()}do/{action.name}/"
        token = console.get(address, {"id": ids}).context["once"]
        given = GIVEN | {"id": ids, "once": token}
        writes(calls)
        answers = (
            (looks.get(address, given).status_code, 403),
            (looks.post(address, given).status_code, 403),
            (foreign.post(address, given, headers={"Origin": "https://evil.example"}).status_code, 403),
            (stranger.post(address, given).status_code, 302),
        )
        done = writes(calls)
        if done or any(answered != wanted for answered, wanted in answers):
            wrong.append(f"{address} {answers} {done}")
    assert wrong == []


def test_no_action_reaches_the_records_of_others(filled: Demo, db: None, calls: list[str]) -> None:
    own = User.objects.create_user("own", is_staff=True)
    every = Permission.objects.exclude(codename="see_every_owner")
    own.user_permissions.add(*every)
    client = Client()
    client.force_login(own)
    records = {
        SESSIONS: filled.ready.session_id,
        FILES: filled.file.file_id,
        JOBS: filled.job.job_id,
    }
    wrong = []
    for model_admin, action, _ in every_action(client):
        others = records.get(model_admin.list_url())
        if others is None:
            continue
        address = f"{model_admin.list_url()}do/{action.name}/"
        page = client.get(address, {"id": others})
        writes(calls)
        client.post(address, GIVEN | {"id": [others], "once": page.context["once"]})
        if page.context["records"] or set(writes(calls)) - {"TransactWriteItems"}:
            wrong.append(address)
    assert wrong == []
    entries = audit.entries_page(limit=50, by="actor", value=own.principal_id).records
    said = {one.outcome for one in entries if not one.event.startswith("sign_in")}
    assert said == {Outcome.DENIED}, "what is written says that it was refused"
