"""Which limits hold for whom, and the throttles of this process."""

from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings

from apps.access import store
from apps.access.records import Caller
from apps.access.throttles import Limit, Shared, State, Throttle, Throttled

WAITS = Limit(burst=10, steady=1.0)
"""How many waits for a result a principal begins: each holds a thread, or an instance, for seconds."""


@cache
def throttle() -> Throttle:
    """The throttle of this process."""
    return Throttle(Shared(store.add_tokens))


def limit_of(principal_id: str, scope: str) -> Limit | None:
    """The limit of a principal for requests that need a scope; None where there is none.

    THROTTLES overrides the settings by scope, by principal, or by both as ``<principal> <scope>``.
    """
    burst, steady = settings.THROTTLE_BURST, settings.THROTTLE_STEADY
    for name in (scope, principal_id, f"{principal_id} {scope}"):
        override = settings.THROTTLES.get(name, {})
        burst, steady = override.get("burst", burst), override.get("steady", steady)
    return Limit(int(burst), float(steady)) if burst and steady else None


def admit(caller: Caller, scope: str) -> State | None:
    """Count a request of a caller; None where nothing limits them.

    Raises:
        Throttled: the principal has used up what it may; says when there is more.
    """
    principal = str(caller)
    limit = limit_of(principal, scope)
    return None if limit is None else throttle().admit(f"{principal}|{scope}", limit)


def may_wait(caller: Caller) -> bool:
    """Count a wait for a result; return whether the caller may begin it (I11)."""
    try:
        throttle().admit(f"{caller}|wait", WAITS)
    except Throttled:
        return False
    return True


def check_source(source_ip: str) -> None:
    """Refuse a source that failed to authenticate too often, before anything is looked up for it.

    An instance learns with a failure of its own that the limit is reached: it lets at most one through that is too many.

    Raises:
        Throttled: until the minute ends.
    """
    if settings.FAILED_AUTHENTICATIONS:
        throttle().check(_source(source_ip))


def note_failure(source_ip: str) -> None:
    """Count a failed authentication, over all instances.

    Raises:
        Throttled: it is one too many.
    """
    most = settings.FAILED_AUTHENTICATIONS
    if most:
        throttle().admit(_source(source_ip), Limit(most, most / 60))


def _source(source_ip: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 of an IPv6 address, which one household has."""
    try:
        address = ip_address(source_ip)
    except ValueError:
        return "source|unknown"
    shown = ip_network((address, 64), strict=False) if isinstance(address, IPv6Address) else address
    return f"source|{shown}"
