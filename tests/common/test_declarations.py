"""What apps declare is collected, and what two of them declare is refused."""

from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.access.roles import Role, Scope, all_scopes
from apps.audit.records import Event
from apps.common.declarations import Declared, members, modules_named
from tests import requirement


def module(name, **declared):
    """An app's module that declares these enumerations."""
    made = ModuleType(name)
    for key, value in declared.items():
        value.__module__ = name
        setattr(made, key, value)
    return made


class Colour(Declared):
    """A kind of declaration."""


def colours(name, **named):
    kind: Any = Colour  # called for a new enumeration, not for a member
    return module(name, Colours=kind(name, {key: (value, f"It is {value}.") for key, value in named.items()}))


@requirement("E3", "D1")
def test_members_of_all_modules_are_collected():
    found = members(Colour, [colours("one", RED="red", BLUE="blue"), colours("two", GREEN="green")])
    assert sorted(found) == ["blue", "green", "red"]
    assert found["red"].meaning == "It is red."


@requirement("E3", "D1")
@pytest.mark.parametrize(
    "modules",
    [
        [colours("one", RED="red"), colours("two", RED="red")],
        [colours("one", RED="red"), colours("two", ROUGE="red")],
        [colours("one", RED="red", ROUGE="red")],
    ],
    ids=["in two apps", "under another name", "twice in one app"],
)
def test_what_is_declared_twice_is_refused(modules):
    with pytest.raises(ImproperlyConfigured, match="'red' is declared twice"):
        members(Colour, modules)


@requirement("E3", "D1")
def test_what_a_module_only_imports_is_the_other_modules():
    one = colours("one", RED="red")
    two = ModuleType("two")
    two.Colours = one.Colours  # type: ignore[attr-defined]
    assert list(members(Colour, [one, two])) == ["red"]


@requirement("D1")
def test_every_event_and_scope_has_a_sentence():
    declared = [*members(Event, modules_named("trail")).values(), *all_scopes().values()]
    assert len(declared) > 70
    for one in declared:
        assert one.meaning[0].isupper(), one
        assert one.meaning.endswith("."), one


@requirement("E3")
def test_the_roles_of_a_scope_are_roles_and_an_administrator_holds_each():
    for scope in all_scopes().values():
        assert isinstance(scope, Scope)
        assert all(isinstance(role, Role) for role in scope.roles), scope
        assert Role.ADMINISTRATOR in scope.roles


@requirement("D1", "E3")
def test_every_event_is_recorded_somewhere_and_every_scope_asked_for(settings):
    code = "\n".join(path.read_text(encoding="utf-8") for path in (settings.BASE_DIR / "apps").rglob("*.py"))
    declared = [*members(Event, modules_named("trail")).values(), *all_scopes().values()]
    assert [one for one in declared if f"{type(one).__name__}.{one.name}" not in code] == []
