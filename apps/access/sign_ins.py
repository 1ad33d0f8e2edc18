"""Sign-ins to the console in the trail: who came in and went, and, counted, who was refused (D1, D6).

Django and allauth tell of them by signals. A sign-in whose entry cannot be written does not happen: the error leaves
the view, and the session is not saved. Entries about second factors are written before the factor is.
"""

from typing import Any

from apps.access import refusals
from apps.access.trail import SignInEvent, UserEvent
from apps.access.users import ACCOUNTS, User, username_key
from apps.audit.records import Actor, ActorKind
from apps.audit.services import record

RECOVERY_CODES = "recovery_codes"  # allauth's name of them among the second factors


def note_sign_in(request: Any, user: User, **_: Any) -> None:
    """Record that a person signed in."""
    record(person(user, request), SignInEvent.DONE)


def note_sign_out(request: Any, user: User | None, **_: Any) -> None:
    """Record that a person signed out; nobody did where a session had ended before."""
    if user is not None:
        record(person(user, request), SignInEvent.ENDED)


def note_expiry(request: Any, user: User) -> None:
    """Record that a person is signed out because nothing was done for a while."""
    record(person(user, request), SignInEvent.EXPIRED)


def note_refusal(request: Any, credentials: dict[str, Any], **_: Any) -> None:
    """Count a refused sign-in, with the user if there is one of that name; what was typed may be a password."""
    refusals.passwords.tell()
    user = _named(str(credentials.get("username") or ""))
    detail = {"user": user.principal_id, "locked": not user.is_active} if user else {"user": None}
    refusals.passwords.note(_address(request), **detail)


def note_lock(request: Any, username: str) -> None:
    """Count a sign-in that was held off, whether the password was right or not."""
    refusals.locks.tell()
    user = _named(username)
    refusals.locks.note(_address(request), user=user.principal_id if user else None)


def note_refused_factor(request: Any, user: User, **_: Any) -> None:
    """Count a wrong code, or a security key that is not the user's."""
    refusals.factors.tell()
    refusals.factors.note(_address(request), user=user.principal_id)


def note_step(request: Any, user: User, method: str, **detail: Any) -> None:
    """Record that a factor was accepted, or that a signed-in person confirmed who they are."""
    shown = {"method": method, "factor": detail.get("type")}
    if detail.get("reauthenticated"):
        record(person(user, request), SignInEvent.CONFIRMED, **shown)
    elif method == "mfa":
        record(person(user, request), SignInEvent.FACTOR_USED, factor=detail.get("type"))


def note_new_factor(request: Any, user: User, factor: str) -> None:
    """Record that a factor, or recovery codes, are about to be added."""
    event = UserEvent.CODES_MADE if factor == RECOVERY_CODES else UserEvent.FACTOR_ADDED
    record(_whoever(request), event, user=user.principal_id, factor=factor)


def note_lost_factor(request: Any, user: User, factor: str) -> None:
    """Record that a factor, or recovery codes, are about to be removed."""
    record(_whoever(request), UserEvent.FACTOR_REMOVED, user=user.principal_id, factor=factor)


def note_stranger(request: Any, subject: str) -> None:
    """Count somebody of the pool who has no role here."""
    refusals.strangers.tell()
    refusals.strangers.note(_address(request), subject=subject)


def person(user: User, request: Any) -> Actor:
    """Return a person as the one who acts, from where a request comes."""
    return Actor(ActorKind.USER, str(user.pk), source_ip=_address(request))


def _whoever(request: Any) -> Actor:
    user = getattr(request, "user", None)
    return person(user, request) if isinstance(user, User) else ACCOUNTS


def _named(name: str) -> User | None:
    return User.objects.filter(username_key=username_key(name)).first() if name else None


def _address(request: Any) -> str:
    return str(request.META.get("REMOTE_ADDR", "")) if request is not None else ""
