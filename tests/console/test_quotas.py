"""What a service or person has used in a month, and how much it may, at the console."""

from typing import Any

import pytest
from django.test import Client

from apps.access import api_keys, principals, quotas
from apps.access.models import User
from apps.access.roles import Role
from tests import requirement
from tests.conftest import TESTS
from tests.console.pages import CLIENTS, messages_of, send

pytestmark = requirement("F2", "E4", "I11")


@pytest.fixture
def service(aws: None) -> Any:
    """A service with a key."""
    caller, _ = api_keys.issue_for_service("exporter", role=Role.CLIENT, actor=TESTS)
    return caller


def page_of(principal_id: str) -> str:
    """The address of the page of quotas."""
    return f"{CLIENTS}quotas/{principal_id}/"


def test_a_quota_is_set_changed_and_taken_away(console: Client, service: Any, admitted_admin: None) -> None:
    owner = str(service.principal.principal_id)
    key = f"{CLIENTS}{service.key_id}/change/"
    assert page_of(owner) in console.get(key).content.decode()
    assert "no limit" in console.get(key, {"tab": "related"}).content.decode()
    told = messages_of(send(console, page_of(owner), keys="5", bytes="1048576"))
    assert told == [f"The quotas of {owner} were changed."]
    assert principals.find(owner).quotas == {"keys": 5, "bytes": 1048576}
    shown = console.get(key, {"tab": "related"}).content.decode()
    assert "1.0 MiB" in shown
    form = console.get(page_of(owner)).context["form"]
    assert (form["keys"].value(), form["files"].value()) == (5, None)
    assert b"Nothing is different" in send(console, page_of(owner), keys="5", bytes="1048576").content
    send(console, page_of(owner))
    assert principals.find(owner).quotas is None


def test_what_is_used_up_or_nearly_is_said_in_words(
    console: Client, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = str(service.principal.principal_id)
    principals.change(owner, quotas={"keys": 0, "jobs": 10}, actor=TESTS)
    original = quotas.month_of

    def month_of(principal: Any) -> Any:
        month = original(principal)
        used = [quotas.Usage(one.quota, 8 if one.quota == "jobs" else 0, one.allowed) for one in month.usages]
        return quotas.Month(month.principal, month.begins, month.ends, month.counted_at, tuple(used))

    monkeypatch.setattr(quotas, "month_of", month_of)
    html = console.get(page_of(owner)).content.decode()
    assert ">used up<" in html
    assert ">nearly used up<" in html


@pytest.mark.parametrize("given", ["-1", "many", "1.5", "1" + "0" * 16])
def test_what_is_no_quota_is_told_beside_its_field(console: Client, service: Any, given: str) -> None:
    page = send(console, page_of(str(service.principal.principal_id)), keys=given)
    assert "keys" in page.context["form"].errors


def test_nobody_sets_quotas_of_who_holds_more(person: Any, service: Any) -> None:
    owner = str(service.principal.principal_id)
    without = person("access.view_apikey")
    assert without.get(page_of(owner)).status_code == 403
    assert without.post(page_of(owner), {"keys": "5"}).status_code == 403
    not_admitted = person("access.view_apikey", "access.change_user")
    refused = send(not_admitted, page_of(owner), keys="5")
    assert refused.status_code == 200
    assert principals.find(owner).quotas is None


def test_there_is_a_way_from_a_persons_page_and_none_to_who_was_never_admitted(
    console: Client, admitted_admin: None
) -> None:
    user = User.objects.get(username="admin")
    page = console.get(f"/admin/access/user/{user.pk}/change/").content.decode()
    assert page_of(user.principal_id) in page
    assert console.get(page_of(user.principal_id)).status_code == 200
    assert console.get(page_of("service:nosuch")).status_code == 404


def test_of_a_person_without_a_role_it_is_said_what_to_do_first(
    console: Client, admitted_admin: None
) -> None:
    new = User.objects.create_user("newcomer", is_staff=True)
    person = f"/admin/access/user/{new.pk}/change/"
    assert page_of(new.principal_id) in console.get(person).content.decode()
    page = console.get(page_of(new.principal_id))
    assert page.status_code == 200
    assert "newcomer has none yet" in page.content.decode()
    assert f'<a href="{person}">' in page.content.decode()


def test_quotas_of_who_has_no_user_here_are_set_as_well(
    console: Client, aws: None, admitted_admin: None
) -> None:
    """A token's subject may be anything; a user's id is a UUID."""
    owner = principals.admit_person("ada-9", "Ada", role=Role.CLIENT, actor=TESTS).principal_id
    assert console.get(page_of(owner)).status_code == 200
    send(console, page_of(owner), keys="5")
    assert principals.find(owner).quotas == {"keys": 5}
