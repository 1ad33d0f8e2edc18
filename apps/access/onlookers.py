"""Who may see what does not answer: callers with an API key, also while the tables that would tell do not answer.

Such a caller has shown a valid key within the last hour. What they see are names of dependencies, and with owners:all how
much is stuck of what kind: nothing of anybody's.
"""

import hashlib
import threading
from concurrent.futures import Future

from django.db import connection

from apps.access import api_keys
from apps.access.roles import Scope
from apps.common.caching import TimedCache

SEEN_SECONDS = 3600.0
ASK_SECONDS = 0.5  # of the three that readiness may take
_seen = TimedCache[frozenset[Scope]](max_items=64, ttl_seconds=SEEN_SECONDS)
_asking = threading.Semaphore(2)  # threads that may hang at a time


class _Unknown(Exception):
    """The key is not valid, or nobody can tell."""


def scopes_of(key: str | None, *, source_ip: str) -> frozenset[Scope] | None:
    """Return the scopes of an API key that is valid from this address, or was within the hour; None for any other."""
    if not key:
        return None
    name = hashlib.sha256(f"{source_ip} {key}".encode()).hexdigest()
    try:
        return _seen.get(name, lambda: _found(key, source_ip))
    except _Unknown:
        return None


def _found(key: str, source_ip: str) -> frozenset[Scope]:
    if not _asking.acquire(blocking=False):
        raise _Unknown
    answer = Future[frozenset[Scope]]()
    threading.Thread(target=_ask, args=(key, source_ip, answer), name="ready-onlooker", daemon=True).start()
    try:
        return answer.result(timeout=ASK_SECONDS)
    except Exception:  # noqa: BLE001 - whatever it is: who cannot be told apart sees no names
        raise _Unknown from None


def _ask(key: str, source_ip: str, answer: Future[frozenset[Scope]]) -> None:
    try:
        found = api_keys.authenticate(key, source_ip=source_ip).scopes
    except Exception as error:  # noqa: BLE001 - told to who waits
        answer.set_exception(error)
    else:
        answer.set_result(found)
    finally:
        connection.close()  # of this thread
        _asking.release()
