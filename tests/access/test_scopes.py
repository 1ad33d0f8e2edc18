"""Who may call what: deny by default, each role its scopes and nothing else (I9)."""

import re
import sys
import types
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import get_resolver, include, path
from django.views import View

from apps.access.checks import every_api_view_declares_scopes
from apps.access.permissions import PUBLIC
from apps.access.roles import Role, Scope, all_scopes, scopes_of
from apps.access.scopes import AccessScope
from apps.access.views import ApiView
from apps.audit.scopes import AuditScope
from apps.detections.scopes import DetectionScope
from apps.files.scopes import FileScope, MessageScope
from apps.jobs.scopes import JobScope
from apps.sessions.scopes import SessionScope
from tests import requirement
from tests.conftest import Api, empty_aws

ANYTHING = {"no such field": 1}  # allowed calls end in 400 or 404, but not in 401 or 403


def operations():
    """(address, method, scopes needed) of every operation under /api/v1."""
    found = []
    for pattern in get_resolver("qkdplatform.api_urls").url_patterns:
        route = str(pattern.pattern)
        if route.startswith("api/v1/"):
            address = re.sub(r"<[^>]+>", "none", route).removeprefix("api/v1/")
            view: Any = pattern.callback
            for method, declared in view.cls.required_scopes.items():
                needed = {declared} if isinstance(declared, Scope) else set(declared)
                found.append((address, method, needed))
    return found


def named(value):
    """The same in every process, whatever the order of a set is there."""
    return "+".join(sorted(value)) if isinstance(value, set) else str(value)


@pytest.fixture(scope="module")
def clients():
    """A client of each role."""
    with empty_aws():
        yield {role: Api(role) for role in Role}


@requirement("E3", "I9")
@pytest.mark.parametrize(("address", "method", "needed"), operations(), ids=named)
def test_each_role_may_do_what_its_scopes_say_and_nothing_else(clients, address, method, needed):
    for role, api in clients.items():
        answer = api.call(method, address, None if method == "GET" else ANYTHING)
        allowed = needed <= scopes_of(role)
        assert (answer.status_code in {401, 403}) is not allowed, (role, answer.content)


@requirement("E3", "I9")
@pytest.mark.parametrize(("address", "method", "needed"), operations(), ids=named)
def test_without_a_key_only_health_answers(clients, address, method, needed):
    answer = Client().generic(method, f"/api/v1/{address}")
    if needed == PUBLIC:
        assert address.startswith("health")
    else:
        assert answer.status_code == 401


@requirement("E3")
def test_the_roles_are_what_they_are_meant_to_be():
    """A change of a role is a decision: it is made here too."""
    everybody_reads = {SessionScope.READ, DetectionScope.READ, FileScope.READ, JobScope.READ}
    assert all(everybody_reads <= scopes for scopes in map(scopes_of, Role))
    decrypting = {FileScope.DECRYPT, FileScope.KEY, MessageScope.DECRYPT}
    assert {role for role in Role if scopes_of(role) & decrypting} == {
        Role.CLIENT,
        Role.ADMINISTRATOR,
    }
    assert AccessScope.OWNERS_ALL not in scopes_of(Role.CLIENT), "a client sees its own records only"
    assert {role for role in Role if AuditScope.READ in scopes_of(role)} == {
        Role.AUDITOR,
        Role.ADMINISTRATOR,
    }
    assert scopes_of(Role.ADMINISTRATOR) == frozenset(all_scopes().values())


class Undeclared(ApiView):
    def get(self, _request):
        return HttpResponse("open")


class Partly(ApiView):
    required_scopes = {"GET": FileScope.READ}

    def get(self, _request):
        return HttpResponse()

    def delete(self, _request):
        return HttpResponse("deleted")


class Plain(View):
    def post(self, _request):
        return HttpResponse()


def a_function(request):
    return HttpResponse()


@requirement("I9")
def test_the_platform_passes_the_check():
    assert every_api_view_declares_scopes() == []


@requirement("I9")
@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        (path("api/v1/x", Undeclared.as_view()), "/api/v1/x: no scope declared for GET"),
        (path("api/v1/x", Partly.as_view()), "/api/v1/x: no scope declared for DELETE"),
        (path("api/v1/x", Plain.as_view()), "/api/v1/x: no scope declared for POST"),
        (path("api/v1/x", a_function), "/api/v1/x: no scope declared for any method"),
        (
            path("api/", include([path("deep/<str:x>", Undeclared.as_view())])),
            "/api/deep/<str:x>: no scope declared for GET",
        ),
    ],
)
def test_the_check_names_a_view_without_scopes(settings, monkeypatch, pattern, named):
    module = types.ModuleType("urls_of_a_test")
    module.urlpatterns = [pattern]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    settings.ROOT_URLCONF = module.__name__
    assert [error.msg for error in every_api_view_declares_scopes()] == [named]


@requirement("I9")
@pytest.mark.parametrize(("view", "method"), [(Undeclared, "get"), (Partly, "delete")])
def test_what_the_check_would_find_is_refused_to_an_administrator_too(admin_api, view, method):
    request = getattr(RequestFactory(), method)("/api/v1/x", headers={"X-API-Key": admin_api.key})
    assert view.as_view()(request).status_code == 403
