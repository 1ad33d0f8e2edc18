"""Requests that are done once, however often they are sent: ``Idempotency-Key`` (E9).

A client gives a request that creates something a key of its choice, and sends both again where it got no answer. The
row that remembers the key is written by the very transaction that creates (no call more), under the condition that it
is not there; where it is, nothing is created, and the request is answered from what the row holds: ids, or an
envelope. It never holds a plaintext or a secret, and of the request only an HMAC, which tells whether a second request
under the key is the same one (decision 34).

The edge begins and ends a claim around a request; a service calls ``keep`` in the transaction that creates.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest, digest
from typing import Any, Protocol

from apps.common import clock
from apps.common.authenticated import accepted_keys, current_key
from apps.common.done import Done
from apps.common.errors import Invalid, PlatformError, Refused
from apps.common.store import ClaimTable

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_HOURS = 24
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_LABEL = b"qkdplatform idempotency v1|"


class KeyReused(PlatformError):
    """The key was given to another request."""

    status = 422
    type = "idempotency-key-reused"
    title = "The Idempotency-Key belongs to another request"


class Replayed(Exception):
    """The request was done before; nothing was changed now. ``result`` is what it left."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        super().__init__("The request was done before.")
        self.result = result


@dataclass(frozen=True, slots=True)
class Claim:
    """A request under way that has a key."""

    claim_id: str
    content: bytes
    creates: frozenset[str]  # what it is for; what else is made meanwhile, such as stock, is not its result

    def mac(self) -> str:
        """The HMAC of the request under the current key."""
        key = current_key()
        return f"{key.key_id}.{digest(key.secret, self.content, 'sha256').hex()}"

    def fits(self, done: Done) -> bool:
        """Return whether what was done is this very request."""
        key_id, _, found = done.request.partition(".")
        key = accepted_keys().get(key_id)
        return key is not None and compare_digest(digest(key.secret, self.content, "sha256").hex(), found)


class Puts(Protocol):
    """A transaction."""

    def put(self, row: Any, *, otherwise: Any = None, first: bool = False) -> None: ...


_claim: ContextVar[Claim | None] = ContextVar("claim", default=None)


def claim_for(
    principal: str, key: str, *, method: str, path: str, body: Any, creates: frozenset[str]
) -> Claim:
    """Make the claim of a request.

    Args:
        principal: who asks; a key is theirs alone.
        key: 1 to 255 visible ASCII characters.
        method: of the request, as ``path`` is: the same body sent elsewhere is another request.
        path: with its query.
        body: as it was read from JSON; the order of its names means nothing.
        creates: kinds of what the request creates.

    Raises:
        Invalid: no such key is possible.
    """
    if not _KEY.fullmatch(key):
        raise Invalid.of(HEADER, "1 to 255 visible ASCII characters, such as a UUID")
    name = hashlib.sha256(json.dumps([principal, key]).encode()).hexdigest()
    canonical = json.dumps([method, path, body], sort_keys=True, separators=(",", ":"))
    return Claim(name, _LABEL + canonical.encode("utf-8", "surrogatepass"), creates)


def begin(claim: Claim) -> None:
    """Let what the request creates be remembered under a claim, until ``end``."""
    _claim.set(claim)


def end() -> None:
    """Forget the claim of a request that was answered."""
    _claim.set(None)


def keep(tx: Puts, kind: str, **result: Any) -> None:
    """Remember in the transaction that creates what it leaves: ids, or an envelope; never a secret.

    Does nothing where the request has no key, or is for something else.

    Args:
        tx: the transaction.
        kind: what is created.
        result: what is needed to answer again.

    Raises (at commit):
        Replayed: the request was done before.
        KeyReused: the key was given to another request.
    """
    claim = _claim.get()
    if claim is None or kind not in claim.creates:
        return
    moment = clock.now()
    ends = int((moment + timedelta(hours=KEPT_HOURS)).timestamp())
    done = Done(claim_id=claim.claim_id, request=claim.mac(), result=result, done_at=moment, ttl=ends)
    tx.put(ClaimTable.of(done), otherwise=lambda: _outcome(claim), first=True)


def done_before() -> Mapping[str, Any] | None:
    """Return what the request under way left when it was done before, read by one call; None where it was not.

    Raises:
        KeyReused: its key was given to another request.
    """
    claim = _claim.get()
    return None if claim is None else _result_of(claim)


def _result_of(claim: Claim) -> Mapping[str, Any] | None:
    done = ClaimTable.find(claim.claim_id)
    if done is not None and not claim.fits(done):
        raise KeyReused(
            f"This {HEADER} was given to another request in the last {KEPT_HOURS} hours. Choose a new one for each request."
        )
    return None if done is None else done.result


def _outcome(claim: Claim) -> Exception:
    """What a transaction ends in that found the key there already."""
    try:
        result = _result_of(claim)
    except KeyReused as error:
        return error
    if result is None:  # it expired between the condition and this
        return Refused("What was done under this key is no longer remembered. Send the request again.")
    return Replayed(result)
