"""A form is carried out once: its page carries a token, which is spent when the form is sent."""

import secrets

from django.core.cache import cache
from django.http import HttpRequest

FIELD = "once"
KEPT_SECONDS = 86_400  # a page that was open for longer than a day gets a new token with its next sign-in
LONGEST = 64


def new_token() -> str:
    """Make the token of a page."""
    return secrets.token_urlsafe(18)


def spend(request: HttpRequest) -> bool:
    """Return whether a form is sent for the first time. The shared cache decides between processes."""
    token = request.POST.get(FIELD, "")[:LONGEST]
    if not token:
        return False
    return cache.add(f"console-once:{request.user.pk}:{token}", 1, timeout=KEPT_SECONDS)
