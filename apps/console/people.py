"""Who is who: an actor's or owner's id, shown with the name of the person that it is."""

import uuid

from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.common.caching import TimedCache
from apps.console import render

PERSON = "user:"
KNOWN_SECONDS = 30.0
_names = TimedCache[str](max_items=1024, ttl_seconds=KNOWN_SECONDS)


def who(value: str | None) -> SafeString:
    """Render an actor: a person by their name, everybody else by their id; the title has the id."""
    if not value:
        return render.NONE
    called = name_of(value)
    if not called:
        return render.short(value)
    return format_html('<bdi class="name" title="{}">{}</bdi>', value, render.spelt(called))


def who_whole(value: str | None) -> SafeString:
    """Render an actor by their name and the whole id, with a button that copies it."""
    if not value:
        return render.NONE
    called = name_of(value)
    return render.inline([render.name(called) if called else "", render.copied(value)])


def name_of(value: str) -> str:
    """Return a person's name; nothing where the id is no person's."""
    if not value.startswith(PERSON):
        return ""
    return _names.get(value, lambda: _find(value.removeprefix(PERSON)))


def id_of(text: str) -> str:
    """Return the id of an actor that was typed: as it is, or that of the person of this name."""
    if ":" in text or "\x00" in text:  # which PostgreSQL refuses in any text
        return text
    users = get_user_model()
    try:
        found = users._default_manager.get_by_natural_key(text)  # noqa: SLF001 - Django's name of a model's manager
    except ObjectDoesNotExist:
        return text
    return f"{PERSON}{found.pk}"


def forget() -> None:
    """Look names up anew."""
    _names.clear()


def _find(identifier: str) -> str:
    try:
        found = get_user_model()._default_manager.get(pk=uuid.UUID(identifier))  # noqa: SLF001 - likewise
    except (ValueError, ObjectDoesNotExist):
        return ""
    return str(found.get_username())
