"""Sites agree on sessions: each asks what became of the other's end, and gives keys out of those that both found clean.

Nothing is told that was not asked for, and each step is decided by one site from its own row and the other's answer: they
may be taken in any order, again, or by several processes.
"""

import logging

from apps.common.errors import PlatformError
from apps.common.sweeps import each
from apps.kme.sites import asking
from apps.kme.sites.running import role_of, runner_of
from apps.links import services as links
from apps.links.records import Link, LinkSource
from apps.sessions import sites

log = logging.getLogger(__name__)


def agree(link: Link) -> tuple[int, int]:
    """Compare the latest sessions of a link with the other site's; return how many changed, and the keys ready there.

    Raises:
        SiteUnavailable: the other site does not answer.
    """
    actor, role = runner_of(link.link_id), role_of(link)
    here = sites.unsettled(link.link_id)
    theirs, ready = asking.statuses(link, [one.session_id for one in here])
    changed = [
        one.session_id
        for one in here
        if sites.settle(one, theirs.get(one.session_id), role=role, actor=actor)
    ]
    return len(changed), ready


def agree_all() -> int:
    """Compare the sessions of every link to another site; return how many changed.

    A site that does not answer keeps no other from its keys.
    """
    changed: list[int] = []
    each(
        [link for link in links.used() if link.source is LinkSource.OTHER_SITE],
        lambda one: changed.append(_agreed(one)),
    )
    return sum(changed)


def _agreed(link: Link) -> int:
    try:
        return agree(link)[0]
    except PlatformError as error:
        log.warning("link %s: the sites do not agree: %s", link.link_id, error.detail)
        return 0
