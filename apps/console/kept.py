"""What somebody typed survives a form's token, or a sign-in, that has run out.

A form of the console asks ``is_replayed``: then it is shown again with what was typed, and nothing is done. Only a form
that the browser says comes from our own page is shown again so, and never a password.
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.views.csrf import csrf_failure as plain_failure

from apps.console.render import heading

COOKIE = "qkd_kept"
KEPT_SECONDS = 900
LONGEST = 3_800  # characters of the value: browsers keep 4,096 of a cookie
STALE = "This page was out of date, so nothing was done yet. Check what you entered, then confirm."
SIGNED_OUT = (
    "You were signed out before this was done. Nothing was changed. Check what you entered, then confirm."
)
_NEVER = ("csrfmiddlewaretoken", "once", "confirmed", "cancel")


def keeps_what_was_typed(view: Any) -> Any:
    """Mark a view whose form is shown again, with what was typed, where its token or the sign-in had run out."""
    view.keeps_what_was_typed = True
    return view


def is_replayed(request: HttpRequest) -> bool:
    """Return whether a POST is shown again instead of being carried out."""
    return bool(getattr(request, "replayed", False))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Show the form again where it came from our own page; else Django's refusal, as the page of what is not allowed."""
    match = getattr(request, "resolver_match", None)
    if match is None or not _is_ours(request) or not getattr(match.func, "keeps_what_was_typed", False):
        return plain_failure(request, reason, template_name="403_csrf.html")
    request.replayed = True  # type: ignore[attr-defined]
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined] # noqa: SLF001 - nothing is carried out
    if request.user.is_authenticated:
        messages.warning(request, STALE)
    answer: HttpResponse = match.func(request, *match.args, **match.kwargs)
    return answer


def _is_ours(request: HttpRequest) -> bool:
    """Return whether the browser says that the form came from a page of this site."""
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site") == "same-origin"
    return urlsplit(origin).netloc == request.get_host()


def remember(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Put what was typed by who is not signed in any more into a signed cookie, for the same address only."""
    typed = {
        name: request.POST.getlist(name)
        for name in request.POST
        if name not in _NEVER and not _is_secret(name)
    }
    if not typed or not _keeps(request.path_info):
        return answer
    left_out: list[str] = []
    while typed and len(value := _signed(request, typed, left_out)) > LONGEST:
        longest = max(typed, key=lambda name: sum(map(len, typed[name])))
        left_out.append(longest)
        del typed[longest]
    if typed:
        answer.set_cookie(
            COOKIE, value, max_age=KEPT_SECONDS, httponly=True, samesite="Strict",
            secure=settings.SESSION_COOKIE_SECURE,
        )  # fmt: skip
    return answer


def _signed(request: HttpRequest, typed: dict[str, list[str]], left_out: list[str]) -> str:
    kept = {"path": request.path, "typed": typed, "left_out": left_out}
    return signing.dumps(kept, salt=COOKIE, compress=True)


def recalled(request: HttpRequest) -> dict[str, list[str]]:
    """Return what was typed at this address before the sign-in ran out, and say so; nothing where nothing was."""
    try:
        found = signing.loads(request.COOKIES.get(COOKIE, ""), salt=COOKIE, max_age=KEPT_SECONDS)
    except (signing.BadSignature, ValueError):
        return {}
    if found["path"] != request.path:
        return {}
    left_out = ", ".join(map(heading, found["left_out"]))
    more = f" Too long to be kept, enter it again: {left_out}." if left_out else ""
    messages.warning(request, SIGNED_OUT + more)
    typed: dict[str, list[str]] = found["typed"]
    return typed


def forget(answer: HttpResponse) -> None:
    """Remove the cookie once it was used."""
    answer.delete_cookie(COOKIE, samesite="Strict")


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in ("password", "secret", "passphrase", "seed", "token"))


def _keeps(path: str) -> bool:
    try:
        return bool(getattr(resolve(path).func, "keeps_what_was_typed", False))
    except Resolver404:
        return False
