"""What used keys of a case's link in its window: files and messages, by Queries of indexes (I6).

The keys that count are those of sessions that were run over the link within the window: whoever listened then may
know them, whenever they are used. A page walks a few sessions, one Query for each, so that it may be shorter than
asked for though there is more.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from apps.audit.records import system
from apps.cases.records import Case
from apps.common.dynamodb import Page, Position, pages, sort_key
from apps.sessions import quantum_keys
from apps.sessions import services as sessions
from apps.sessions.records import QuantumKey, QuantumKeyState, Session

SESSIONS_A_PAGE = 20
KEYS_A_PAGE = 100
_ACTOR = system("cases")
_BETWEEN = "\n"  # of a session's place and its key's in a cursor: neither holds one


def affected_page(case: Case, *, limit: int, position: Position | None = None) -> Page[QuantumKey]:
    """A page of the quantum keys that were used, those of the newest session first.

    Args:
        case: whose link and window count.
        limit: of keys.
        position: from where on; only to older ones.
    """
    at, _, inner = (position.sort if position else "").partition(_BETWEEN)
    found: list[QuantumKey] = []
    place = Position(at) if at else _end_of(case.window_until)
    if inner:  # in the middle of a session, which stands just above where its list goes on
        page = quantum_keys.keys_of(_session_of(at), limit=limit, position=Position(inner))
        found += [key for key in page.records if _is_used(key)]
        if page.older is not None:
            return Page(found, older=f"{at}{_BETWEEN}{page.older}")
    walked = sessions.listed(actor=_ACTOR, limit=SESSIONS_A_PAGE, position=place, link=case.link)
    for session in walked.records:
        if session.timestamp < case.window_from:
            return Page(found)
        if len(found) >= limit:
            return Page(found, older=at)
        at = sort_key(session.timestamp, session.session_id)
        page = quantum_keys.keys_of(session.session_id, limit=limit - len(found))
        found += [key for key in page.records if _is_used(key)]
        if page.older is not None:
            return Page(found, older=f"{at}{_BETWEEN}{page.older}")
    return Page(found, older=walked.older)


def affected(case: Case) -> Iterator[QuantumKey]:
    """Yield every quantum key that was used of those."""
    for some in affected_together(case):
        yield from some


def affected_together(case: Case) -> Iterator[list[QuantumKey]]:
    """Yield them a page at a time."""
    for page in pages(partial(_affected_at, case)):
        yield page.records


def suspect_sessions(case: Case) -> Iterator[Session]:
    """Yield the sessions that were run over the link in the window, the newest first."""
    place: Position | None = _end_of(case.window_until)
    while place is not None:
        page = sessions.listed(actor=_ACTOR, limit=SESSIONS_A_PAGE, position=place, link=case.link)
        for session in page.records:
            if session.timestamp < case.window_from:
                return
            yield session
        place = None if page.older is None else Position(page.older)


def _affected_at(case: Case, position: Position | None) -> Page[QuantumKey]:
    return affected_page(case, limit=KEYS_A_PAGE, position=position)


def _is_used(key: QuantumKey) -> bool:
    return key.state is QuantumKeyState.USED


def _end_of(moment: datetime) -> Position:
    return Position(sort_key(moment, "~"))


def _session_of(place: str) -> str:
    return place.partition("#")[2]
