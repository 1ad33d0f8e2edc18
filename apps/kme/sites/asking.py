"""What one site asks the other by HTTPS, with certificates of both sides: what became of sessions, and to hold keys.

The other site's KME answers it beside its applications (``kme.api.sites``).
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from apps.common.errors import Unavailable
from apps.kme.transport import Fault, Https, KmeFailed
from apps.links.records import Link
from apps.sessions.records import SessionStatus

REST_SECONDS = 10.0  # after a question without an answer, in which a process takes no more keys for that site
_lock = threading.Lock()
_resting: dict[str, float] = {}


class SiteUnavailable(Unavailable):
    """The other site does not answer, or does not hold what it should. No key was given out."""

    retry_after_seconds = int(REST_SECONDS)


def check_rest(link: Link) -> None:
    """Refuse to begin while the other site is known not to answer: keys taken for it meanwhile would be lost.

    Raises:
        SiteUnavailable: it did not answer a moment ago.
    """
    with _lock:
        if _resting.get(link.link_id, 0.0) > time.monotonic():
            raise SiteUnavailable("The other site does not answer.")


def forget_rest() -> None:
    """Ask every site again."""
    with _lock:
        _resting.clear()


def ask(link: Link, action: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Ask the other site of a link.

    Raises:
        SiteUnavailable: it does not answer, or not so.
    """
    parameters = dict(link.parameters or {})
    try:
        https = Https(str(parameters["base_url"]), str(parameters["client"]))
        try:
            found = https.ask("POST", f"/api/v1/sites/{quote(link.link_id, safe='')}/{action}", body)
        finally:
            https.close()
    except KmeFailed as error:
        if error.fault is not Fault.REFUSED:  # an answer: about this request, not the next application's
            with _lock:
                _resting[link.link_id] = time.monotonic() + REST_SECONDS
        raise SiteUnavailable(f"The other site does not do it: {error.detail}") from error
    if not isinstance(found, dict):
        raise SiteUnavailable("The other site's answer is no object.")
    return found


def statuses(link: Link, session_ids: Sequence[str]) -> tuple[dict[str, str], int]:
    """What became of some sessions at the other site, and how many keys it has to give out, now or soon.

    Raises:
        SiteUnavailable: it does not answer, or tells of a state that there is not.
    """
    found = ask(link, "statuses", {"sessions": list(session_ids)})
    told, ready = found.get("statuses"), found.get("ready")
    if not isinstance(told, dict) or isinstance(ready, bool) or not isinstance(ready, int):
        raise SiteUnavailable("The other site's answer has not what it should have.")
    found = {one: told[one] for one in session_ids if one in told}
    if not all(isinstance(one, str) and one in set(SessionStatus) for one in found.values()):
        raise SiteUnavailable("The other site's answer has a state that there is not.")
    return found, ready
