"""Who owns or did something, with a way to them: a person's page, or the API keys of a service."""

from typing import Any

from django.utils.safestring import SafeString

from apps.console import people, render


def whose(viewer: Any, principal_id: str | None) -> SafeString:
    """Render a principal by name and whole id, and lead to them whoever may see that."""
    if not principal_id:
        return render.NONE
    return render.inline([people.who_whole(principal_id), _way(viewer, principal_id)])


def _way(viewer: Any, principal_id: str) -> SafeString:
    kind, _, identifier = principal_id.partition(":")
    if people.name_of(principal_id) and render.may_view(viewer, "access.user"):
        return render.link(viewer, "access.user", identifier, "Their page")
    if kind == "service":
        return render.list_link(viewer, "access.apikey", "Its API keys", owner=principal_id)
    return render.NONE
