"""People and services, found by the search box: by the beginning of a name, or by their whole id."""

import uuid
from collections.abc import Iterator
from itertools import islice
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from apps.access.principals import find_all
from apps.access.users import User, username_key
from apps.console import finding, render
from apps.console.people import PERSON

SERVICE = "service:"


def _people(_request: HttpRequest, text: str) -> Iterator[finding.Hit]:
    identifier = _uuid(text.removeprefix(PERSON))
    wanted = Q(username_key__startswith=username_key(text)) | Q(pk=identifier)
    for user in User.objects.filter(wanted).order_by("username_key")[: finding.MOST]:
        url = reverse("admin:access_user_change", args=[user.pk])
        yield finding.Hit(url=url, label=render.spelt(user.username), kind="person")


def _services(_request: HttpRequest, text: str) -> Iterator[finding.Hit]:
    """Lead to the API keys of a service, as it has no page of its own."""
    if not text.startswith(SERVICE):
        return
    for principal in islice(find_all(text).values(), 1):
        url = f"{reverse('admin:access_apikey_changelist')}?{urlencode({'owner': text})}"
        yield finding.Hit(url=url, label=text, kind="service", detail=render.spelt(principal.name))


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


finding.register(finding.Names(permission="access.view_user", find=_people))
finding.register(finding.Names(permission="access.view_apikey", find=_services))
