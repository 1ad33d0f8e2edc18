"""Bob's site decides when a session is run over a link to another site: by what both sites have ready to give out."""

import logging

from apps.common import clock
from apps.kme.sites import agreeing
from apps.kme.sites.running import End, find, role_of
from apps.links import times
from apps.links.records import Link
from apps.sessions import sites, stock

LOW_WATER, TARGET = 256, 1024  # keys that each site has ready to give out, where the link does not say it
log = logging.getLogger(__name__)


def step(end: End, address: tuple[str, int]) -> bool:
    """As Bob: agree with Alice's site on what there is, and run a session where keys are wanting; return whether one was.

    Raises:
        Broken: Alice or the quantum channel does not do as agreed.
        PlatformError: the other site does not answer, or the link runs no sessions now.
    """
    link = find(end.link_id)
    _, theirs = agreeing.agree(link)
    giver = wanting(link, theirs)
    if giver is None or not link.is_active:
        return False
    made = end.lead(address, giver=giver)
    log.info("link %s: session %s for %s: %d keys", end.link_id, made.session_id, giver, int(made.keys_total))
    return True


def wanting(link: Link, theirs: int) -> str | None:
    """The end that has the fewest keys to give out, and too few; None where both have enough, or it is not the time."""
    role = role_of(link)
    other = sites.ALICE if role == sites.BOB else sites.BOB
    mine = stock.shared_over(link.link_id) + sites.coming(sites.unsettled(link.link_id), role)
    ready = {role: mine, other: theirs}
    low, target = int(link.low_water or LOW_WATER), int(link.target or TARGET)
    least = times.threshold(link.schedule, clock.now(), low_water=low, target=target)
    found = min(ready, key=lambda one: ready[one])
    return found if ready[found] < least else None
