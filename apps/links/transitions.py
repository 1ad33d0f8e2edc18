"""Transitions of a link: paused, quarantined by a case, active again, retired."""

from dataclasses import replace

from apps.audit.records import Actor
from apps.common.errors import Invalid, Refused
from apps.links import services
from apps.links.records import TRANSITIONS, Link, LinkState
from apps.links.trail import LinkEvent

_EVENTS = {
    LinkState.ACTIVE: LinkEvent.ACTIVATED,
    LinkState.PAUSED: LinkEvent.PAUSED,
    LinkState.QUARANTINED: LinkEvent.QUARANTINED,
    LinkState.RETIRED: LinkEvent.RETIRED,
}


def move(link_id: str, to: LinkState, *, reason: str, actor: Actor, case_id: str | None = None) -> Link:
    """Bring a link to another state. Once this returns, no session over a link that is not active is kept.

    Args:
        link_id: of the link.
        to: the state.
        reason: for the trail and the link's history.
        actor: who decides.
        case_id: the case that quarantines it, or on whose behalf it is released. While a case holds a link, nobody
            else releases it.

    Raises:
        LinkNotFound: no such link.
        Refused: it cannot go there from where it is; another case holds it; a built-in link would be retired.
        Invalid: a quarantine without a case, or a case with anything but a quarantine and its release.
    """
    before = services.find(link_id)
    if before.state is to and before.case_id == case_id:
        return before
    _check(before, to, case_id)
    after = replace(
        before,
        halted=None if to is LinkState.ACTIVE else to,
        reason=reason,
        case_id=case_id if to is LinkState.QUARANTINED else None,
    )
    return services.replace_link(after, _EVENTS[to], actor=actor, reason=reason)


def quarantine(link_id: str, *, case_id: str, reason: str, actor: Actor) -> Link:
    """Let a case take a link out of use until it releases it. Idempotent.

    Raises:
        LinkNotFound: no such link.
        Refused: it is retired, or another case holds it.
    """
    return move(link_id, LinkState.QUARANTINED, reason=reason, actor=actor, case_id=case_id)


def release(link_id: str, *, case_id: str, reason: str, actor: Actor) -> Link:
    """Let the case that quarantined a link release it: sessions are run over it again.

    Raises:
        LinkNotFound: no such link.
        Refused: this case does not hold it.
    """
    return move(link_id, LinkState.ACTIVE, reason=reason, actor=actor, case_id=case_id)


def _check(before: Link, to: LinkState, case_id: str | None) -> None:
    if to not in TRANSITIONS[before.state]:
        possible = ", ".join(sorted(TRANSITIONS[before.state])) or "nothing"
        raise Refused(f"Link {before.link_id} is {before.state}; it can become {possible}, not {to}.")
    if to is LinkState.RETIRED and services.is_built_in(before.link_id):
        raise Refused(f"Every platform needs the link {before.link_id}. It can be paused.")
    if to is LinkState.QUARANTINED and not case_id:
        raise Invalid.of("case_id", "Name the case that quarantines the link.")
    released = before.state is LinkState.QUARANTINED and to is LinkState.ACTIVE
    if released and before.case_id != case_id:
        raise Refused(f"Case {before.case_id} holds the link {before.link_id}; name it to release the link.")
    if case_id and not released and to is not LinkState.QUARANTINED:
        raise Invalid.of("case_id", "Only a quarantine and its release name a case.")
