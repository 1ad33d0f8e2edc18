"""Own, group, all: what a role may see of others' records, over every address that shows one (E8, I9)."""

import re
from typing import Any

import pytest
from django.urls import get_resolver

from apps.access import principals
from apps.access.roles import Role, scopes_of
from apps.access.views import OWNED
from apps.sessions import tasks
from tests import requirement
from tests.conftest import TESTS, Api
from tests.uploads import deliver, registered

PARAMETERS = {"session_id", "file_id", "job_id"}


def details() -> list[str]:
    """Every address that shows one record that belongs to somebody."""
    found = []
    for pattern in get_resolver("qkdplatform.api_urls").url_patterns:
        view: Any = getattr(pattern, "callback", None)
        route = str(pattern.pattern)
        shown = getattr(getattr(view, "cls", None), "required_scopes", {}).get("GET")
        if shown and "<" in route and view.cls.is_owned():
            found.append(route.removeprefix("api/v1/"))
    return found


@pytest.fixture
def owned(api: Api, stock: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """One record of a client of each kind, by the parameter that names it."""
    monkeypatch.setattr(tasks.generate_batch, "delay", lambda _: None)
    upload = registered(api)
    deliver(upload.event)
    session = api.post("qkd/generate", {"key_length": 256}).json()["session_id"]
    from apps.detections import services as detections

    detections.judge(session, actor=TESTS)
    job = api.post("qkd/batches", {"count": 1}).json()["job_id"]
    return {"session_id": session, "file_id": upload.file_id, "job_id": job}


def filled(route: str, values: dict[str, str]) -> str:
    return re.sub(r"<str:(\w+)>", lambda match: values[match[1]], route)


def test_every_parameter_is_tried() -> None:
    names = {name for route in details() for name in re.findall(r"<str:(\w+)>", route)}
    assert names <= PARAMETERS
    assert {"sessions", "files", "jobs", "detections"} == OWNED


@requirement("E8", "I9", "I8")
@pytest.mark.parametrize("route", details())
def test_what_is_anothers_looks_unknown_to_a_client_and_not_to_who_sees_all(
    aws: None, api: Api, other_api: Api, owned: dict[str, str], route: str
) -> None:
    unknown = dict.fromkeys(owned, "00000000-0000-0000-0000-000000000000")
    path = filled(route, owned)
    foreign, none = other_api.get(path), other_api.get(filled(route, unknown))
    assert (foreign.status_code, none.status_code) == (404, 404), foreign.content
    names = re.compile("|".join({*owned.values(), *unknown.values()}))
    assert names.sub("", foreign.content.decode()) == names.sub("", none.content.decode())
    own = api.get(path)
    assert own.status_code != 404, own.content
    for role in (Role.VIEWER, Role.OPERATOR, Role.AUDITOR, Role.ADMINISTRATOR):
        seen = Api(role).get(path).status_code
        view: Any = next(
            one.callback
            for one in get_resolver("qkdplatform.api_urls").url_patterns
            if str(one.pattern) == f"api/v1/{route}"
        )
        needed = view.cls.required_scopes["GET"]
        assert seen == (own.status_code if needed in scopes_of(role) else 403), role


@requirement("E8")
@pytest.mark.parametrize(
    "route", [route for route in details() if "job" not in route and "session" not in route]
)
def test_what_is_a_groups_is_its_members(api: Api, other_api: Api, stock: Any, route: str) -> None:
    group = principals.make_group("both", actor=TESTS).principal_id
    for one in (api, other_api):
        principals.change(one.actor.__str__(), groups=[group], actor=TESTS)
    upload = registered(api, owner=group)
    deliver(upload.event)
    path = filled(route, {"file_id": upload.file_id, "session_id": "x", "job_id": "x"})
    if "file_id" in route:
        assert other_api.get(path).status_code == api.get(path).status_code != 404
