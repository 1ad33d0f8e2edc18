"""A case takes its link out of use, and gives it back. Links keep what they are, and leave the entry."""

from apps.audit.records import Actor
from apps.cases import services
from apps.cases.records import CaseClosed, CaseStatus
from apps.links import services as links
from apps.links import transitions
from apps.links.records import Link


def quarantine_link(case_id: str, *, reason: str, actor: Actor) -> Link:
    """Let no session be run over a case's link until the case releases it. Idempotent.

    Raises:
        CaseNotFound: no such case.
        CaseClosed: the case is closed.
        LinkNotFound: its link is none that the actor may use.
        Refused: the link is retired, or another case holds it.
    """
    case = services.find(case_id)
    if case.status is CaseStatus.CLOSED:
        raise CaseClosed(f"Case {case_id} is closed, and quarantines no link any more.")
    link = links.see(case.link, actor=actor)
    return transitions.quarantine(link.link_id, case_id=case_id, reason=reason, actor=actor)


def release_link(case_id: str, *, reason: str, actor: Actor) -> Link:
    """Let sessions be run again over the link that a case quarantined, though the case be closed meanwhile.

    Raises:
        CaseNotFound: no such case.
        LinkNotFound: its link is none that the actor may use.
        Refused: this case does not hold the link.
    """
    link = links.see(services.find(case_id).link, actor=actor)
    return transitions.release(link.link_id, case_id=case_id, reason=reason, actor=actor)


def holds_link(link_id: str, *, case_id: str) -> bool:
    """Return whether a case has a link in quarantine.

    Raises:
        LinkNotFound: no such link.
    """
    return links.find(link_id).case_id == case_id
