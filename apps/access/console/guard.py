"""What stands before every page of the console: idle time-out, the second factor, and a confirmation before what destroys.

A destructive act is known by its name, the last part of its address or the action of a form, so that a new page needs
no list to be put on.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.access import second_factors, sign_ins
from apps.access.console.lately import signed_in_lately
from apps.console.failures import FAILURES, problem_of

SIGNED_IN = "console.signed_in"  # whether somebody was when the request came
SEEN = "seen_at"
SEEN_SECONDS = 60  # how exact the time of the last activity is: one write a minute
DESTRUCTIVE = frozenset(
    ["delete", "destroy", "disable", "discard", "drop", "purge", "remove", "revoke", "shred", "suspend"]
)
# Whoever does these becomes another, holds a key to act as one, or decides and carries out what takes two persons
CONFIRMED = DESTRUCTIVE | {
    "password", "password-link", "factors", "issue", "rotate", "retire", "recover", "approve", "carry-out", "give-out"
}  # fmt: skip
# Forms that say what somebody may do, or whose certificates keys are delivered to
RIGHTS = frozenset(
    [f"{model}_{way}" for model in ("access_user", "auth_group") for way in ("add", "change")]
    + ["kme_sae_register", "kme_sae_settings"]
)
WITHOUT_FACTOR = frozenset({"logout", "jsi18n"})
View = Callable[..., HttpResponseBase]


class ConsoleGuard:
    """Signs out who was idle, and explains failures on the pages of signing in; ``apps.access.gate`` calls it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.META[SIGNED_IN] = request.user.is_authenticated
        return self._without_the_idle(request) or self.get_response(request)

    def _without_the_idle(self, request: HttpRequest) -> HttpResponseBase | None:
        if not (settings.IDLE_MINUTES and request.user.is_authenticated):
            return None
        now, seen = int(time.time()), request.session.get(SEEN)
        if seen is not None and now - seen > settings.IDLE_MINUTES * 60:
            sign_ins.note_expiry(request, request.user)
            logout(request)
            if is_background(request):
                return HttpResponse(status=401)
            messages.warning(request, "You were signed out because nothing was done for a while.")
        elif not is_background(request) and (seen is None or now - seen >= SEEN_SECONDS):
            request.session[SEEN] = now
        return None

    def explain(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Answer with a page that says what is wrong; nobody is signed in by a request that failed."""
        if not (isinstance(exception, FAILURES) and request.path.startswith(reverse("accounts"))):
            return None
        if not request.META.get(SIGNED_IN):
            request.session.flush()
        problem = problem_of(exception)
        page = {"heading": problem.title, "detail": problem.detail}
        return render(request, "console/error.html", page, status=problem.status)


def is_background(request: HttpRequest) -> bool:
    """Return whether a page's script asks, as its live refresh does; that is no activity of a person."""
    return request.method == "GET" and request.headers.get("Sec-Fetch-Dest") == "empty"


def is_to_be_confirmed(request: HttpRequest) -> bool:
    """Return whether what is asked for destroys something, or gives rights or somebody's sign-in away."""
    place = request.path_info.rstrip("/").rpartition("/")[2]
    # A form may name several, of which the list carries out the one that "index" points to
    named = request.POST.getlist("action") if request.method == "POST" else []
    if request.method == "POST" and request.resolver_match and request.resolver_match.url_name in RIGHTS:
        return True
    return place in CONFIRMED or any(action.partition("_")[0] in DESTRUCTIVE for action in named)


def guarded(view: View) -> View:
    """Wrap a view of the console."""

    @wraps(view)
    def asked(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        name = request.resolver_match.url_name if request.resolver_match else ""
        if name not in WITHOUT_FACTOR and _lacks_a_factor(request):
            messages.warning(request, "Your role needs a second factor. Add one to go on.")
            return redirect("mfa_index")
        if settings.CONFIRM_SECONDS and is_to_be_confirmed(request) and not signed_in_lately(request):
            return _ask(request)
        return view(request, *arguments, **named)

    return asked


def _lacks_a_factor(request: HttpRequest) -> bool:
    if not (settings.SECOND_FACTOR_ROLES and request.user.is_authenticated):
        return False
    user = request.user
    if not second_factors.is_needed(user) or second_factors.has_one(user):
        return False
    return not (settings.OIDC_SECOND_FACTOR and _came_by_pool(request))


def _came_by_pool(request: HttpRequest) -> bool:
    steps = request.session.get("account_authentication_methods", [])
    return any(step.get("method") == "socialaccount" for step in steps)


def _ask(request: HttpRequest) -> HttpResponseBase:
    """Ask who it is. A form is carried out afterwards, unless it holds a password, which no session keeps."""
    if any("password" in name for name in request.POST):
        back = HttpResponseRedirect(request.get_full_path())
        messages.warning(request, "Confirm that it is you, then enter the password again.")
        return back
    raise ReauthenticationRequired


def install(site: AdminSite) -> None:
    """Put the guard before the pages of a site, and allauth's sign-in in the place of its own."""
    admin_view: Any = site.admin_view

    def guarded_view(view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002, RUF100 - Django's signature
        return admin_view(guarded(view), cacheable)

    site.admin_view = guarded_view  # type: ignore[method-assign]
    site.login = _told_what_is_missing(secure_admin_login(site.login))  # type: ignore[method-assign,assignment]
    site.password_change = _change_password  # type: ignore[method-assign,assignment]


def _told_what_is_missing(login: View) -> View:
    """Wrap the sign-in: who is signed in already and yet sent there, as they are no staff, is told what to ask for."""

    @wraps(login)
    def view(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        user = request.user
        if user.is_authenticated and user.is_active and not user.is_staff:
            return render(request, "access/no_console.html", status=403)
        return login(request, *arguments, **named)

    return view


def _change_password(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
    """Show allauth's page, whose attempts are counted."""
    from allauth.account.views import password_change  # noqa: PLC0415 - a cold start of the API needs no pages

    del extra_context
    page: HttpResponseBase = password_change(request)
    return page
