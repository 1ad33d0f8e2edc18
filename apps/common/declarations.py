"""What each app declares for all: collected from the apps' modules of one fixed name.

An app that adds an audit event, a scope or a part of a schedule writes it into its own module and touches no
shared list. Two declarations of one name are an error.
"""

from collections.abc import Iterable
from enum import StrEnum
from importlib import import_module
from types import ModuleType
from typing import Self, TypeVar

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import module_has_submodule


class Declared(StrEnum):
    """A name with one sentence that says what it means. Apps subclass the kinds of it, which have no members."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


D = TypeVar("D", bound=Declared)


def modules_named(name: str) -> list[ModuleType]:
    """Import the module of that name of each app that has one, in the order of INSTALLED_APPS."""
    return [
        import_module(f"{config.name}.{name}")
        for config in apps.get_app_configs()
        if config.name.startswith("apps.") and config.module and module_has_submodule(config.module, name)
    ]


def members(kind: type[D], modules: Iterable[ModuleType]) -> dict[str, D]:
    """Collect the members of every subclass of ``kind`` that these modules declare.

    Raises:
        ImproperlyConfigured: a name is declared twice.
    """
    found: dict[str, D] = {}
    for declared in (declared for module in modules for declared in _declared_in(module, kind)):
        for member in declared.__members__.values():  # aliases too: a second name of one value
            if member.value in found:
                raise ImproperlyConfigured(f"{kind.__name__} {member.value!r} is declared twice.")
            found[member.value] = member
    return found


def _declared_in(module: ModuleType, kind: type[D]) -> list[type[D]]:
    """Return the subclasses of ``kind`` that a module declares, not those that it imports."""
    return [
        declared
        for declared in vars(module).values()
        if isinstance(declared, type)
        and issubclass(declared, kind)
        and declared.__module__ == module.__name__
    ]
