"""A form is carried out once: its page carries a token, which is spent when the form is sent.

What became of the first sending is noted with the token, so that whoever sends it again is told that, and nothing else:
the process may have ended in the midst of it.
"""

import secrets
from enum import StrEnum

from django.core.cache import cache
from django.http import HttpRequest

FIELD = "once"
KEPT_SECONDS = 86_400  # a page that was open for longer than a day gets a new token with its next sign-in
LONGEST = 64


class Fate(StrEnum):
    """What becomes of a form that is sent: ``FIRST`` is carried out now, the others say what became of it before."""

    FIRST = "first"
    UNDER_WAY = "under way"
    DONE = "done"
    REFUSED = "refused"
    UNNOTED = "unnoted"  # without a token, or the shared cache did not take it

    @property
    def told(self) -> str:
        """Return what to tell whoever sent it."""
        return _TOLD[self]


_TOLD = {
    Fate.FIRST: "",
    Fate.UNDER_WAY: "This form was sent already. That is still being carried out, or was interrupted: see here how it "
    "stands before you ask again.",
    Fate.DONE: "This form was sent already and was carried out once. Here is how it stands.",
    Fate.REFUSED: "This form was sent already and was refused: nothing was changed.",
    Fate.UNNOTED: "Nothing was done yet. Check what you entered, then confirm.",
}


def new_token() -> str:
    """Make the token of a page."""
    return secrets.token_urlsafe(18)


def spend(request: HttpRequest) -> Fate:
    """Spend the token of a form, and return what becomes of it. The shared cache decides between processes."""
    name = _name(request)
    if name is None:
        return Fate.UNNOTED
    if cache.add(name, Fate.UNDER_WAY.value, timeout=KEPT_SECONDS):
        return Fate.FIRST
    found = cache.get(name)  # a database that is busy takes nothing, and says so by the same answer
    return Fate(found) if found in set(Fate) else Fate.UNNOTED


def note(request: HttpRequest, fate: Fate) -> None:
    """Note what became of a form whose token was spent."""
    name = _name(request)
    if name is not None:
        cache.set(name, fate.value, timeout=KEPT_SECONDS)


def _name(request: HttpRequest) -> str | None:
    token = request.POST.get(FIELD, "")[:LONGEST]
    return f"console-once:{request.user.pk}:{token}" if token else None
