"""Keys for an application at the other site: it holds them before the master here is given them.

    here     quantum keys leave the stock, with the row of the key (waiting)
    there    the same quantum keys are taken, with a row of the same id, from which the slave collects
    here     the row becomes ``handed_over``; only then is the master answered

Whatever fails on the way, the master has no key: what was taken waits, here and there, for ids that nobody knows, until
its time ends. A repeated message changes nothing; one that names a quantum key that was taken, or another key's bits, is
refused.
"""

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest, digest
from typing import Any

from django.conf import settings

from apps.audit.records import Actor, Outcome
from apps.audit.services import record, transaction
from apps.common import clock
from apps.common.errors import Invalid, Refused
from apps.kme import saes, store
from apps.kme.collecting import canonical, ended
from apps.kme.records import DeliveredKey, DeliveredState, KeyNotFound, NotAuthorised
from apps.kme.sites import asking
from apps.kme.sites.asking import SiteUnavailable
from apps.kme.sites.running import role_of, runner_of
from apps.kme.store import DeliveredKeyTable
from apps.kme.trail import DeliveryEvent
from apps.links.records import Link
from apps.sessions import committing, quantum_keys, sites, transitions
from apps.sessions.records import SessionNotFound, SessionUnusable

_PROOF = b"qkdplatform handed over v1|"
log = logging.getLogger(__name__)
FIELDS = ("key_ID", "master", "slaves", "size", "pieces", "expires_at", "proof")


class _Differs(Exception):
    """A key has other bits here."""

    def __init__(self, key: DeliveredKey) -> None:
        super().__init__(key.key_id)
        self.key = key


@dataclass(frozen=True, slots=True)
class Offered:
    """A key as one site tells the other of it: never its bits."""

    key: DeliveredKey
    proof: str

    def as_document(self) -> dict[str, Any]:
        """As it is sent."""
        key = self.key
        return {
            "key_ID": key.key_id,
            "master": key.master,
            "slaves": list(key.slaves),
            "size": int(key.size),
            "pieces": list(key.pieces),
            "expires_at": int(key.expires_at.timestamp()),
            "proof": self.proof,
        }


def proof_of(key: DeliveredKey, pieces: bytes) -> str:
    """What shows that a site holds the bits of a key's quantum keys: an HMAC under them, of all that is said of it."""
    said = "|".join([key.key_id, key.master, *key.slaves, str(int(key.size)), *key.pieces])
    return digest(pieces, _PROOF + said.encode(), hashlib.sha256).hex()


def hand_over(link: Link, offered: Sequence[Offered], *, actor: Actor) -> None:
    """Have the other site hold keys for its applications. Once this returns, the master may be given them.

    Raises:
        SiteUnavailable: it does not hold them, or nobody knows whether it does.
    """
    told = asking.ask(link, "deliveries", {"keys": [one.as_document() for one in offered]})
    if told.get("held") != [one.key.key_id for one in offered]:
        raise SiteUnavailable("The other site does not hold the keys.")
    with transaction(actor) as tx:
        for one in offered:
            tx.update(DeliveredKeyTable.of(one.key), ended(DeliveredState.HANDED_OVER))
        tx.audit(
            DeliveryEvent.HANDED_OVER,
            key_id=offered[0].key.key_id,
            sae=offered[0].key.master,
            link=link.link_id,
            keys=[one.key.key_id for one in offered],
        )


def accept(link: Link, documents: Sequence[Any], *, actor: Actor) -> list[str]:
    """Hold keys that the other site gives out, for applications here to collect; return their ids. Idempotent.

    Raises:
        Invalid: they are not told as they should be.
        NotAuthorised: an application is not here, or the master not there, or may not share keys with it.
        Refused: a quantum key is not held here, was taken, or is another one here.
    """
    if not 1 <= len(documents) <= settings.KME_MAX_KEYS_PER_REQUEST:
        raise Invalid("the number of keys shall be that of a request")
    offered = [_read(one) for one in documents]
    ids = [one.key.key_id for one in offered]
    known = {key.key_id: key for key in store.delivered(ids)}
    if known:
        if all(one.key.key_id in known and _same(one.key, known[one.key.key_id]) for one in offered):
            return ids  # told again, as its answer was lost
        raise Refused("There is a key of this id already.")
    for one in offered:
        _check_applications(link, one.key)
    try:
        _hold(link, offered, actor)
    except (SessionNotFound, SessionUnusable, committing.KeyTaken) as error:
        raise Refused(str(error)) from error
    except _Differs as error:
        _end_sessions(link, error.key)
        raise Refused("The key is another one here.") from error
    return ids


def _hold(link: Link, offered: Sequence[Offered], actor: Actor) -> None:
    ends = max(int(one.key.expires_at.timestamp()) for one in offered)
    with transaction(actor) as tx:
        sites.take_named(
            tx,
            [piece for one in offered for piece in one.key.pieces],
            link_id=link.link_id,
            role=role_of(link),
            lasting=ends,
            subject=offered[0].key.key_id,
        )
        for one in offered:
            _check_proof(link, one, actor)  # now that these are known to be keys of this link
        for one in offered:
            tx.put(DeliveredKeyTable.of(one.key), otherwise=Refused("There is a key of this id already."))
        tx.audit(
            DeliveryEvent.ACCEPTED,
            key_id=offered[0].key.key_id,
            sae=offered[0].key.master,
            link=link.link_id,
            keys=[one.key.key_id for one in offered],
        )


def _read(told: Any) -> Offered:
    if not isinstance(told, dict) or told.keys() != set(FIELDS):
        raise Invalid("a key shall have just " + ", ".join(FIELDS))
    lists = [told["slaves"], told["pieces"]]
    if not all(isinstance(one, list) and one and all(isinstance(x, str) for x in one) for one in lists):
        raise Invalid("slaves and pieces shall be arrays of strings")
    if not all(isinstance(told[name], str) for name in ("key_ID", "master", "proof")):
        raise Invalid("key_ID, master and proof shall be strings")
    if not re.fullmatch(r"[0-9a-f]{64}", told["proof"]):
        raise Invalid("proof shall be an HMAC of SHA-256, in hexadecimal")
    size, ends = told["size"], told["expires_at"]
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in (size, ends)):
        raise Invalid("size and expires_at shall be integers")
    if not 0 < size <= len(told["pieces"]) * settings.QUANTUM_KEY_BITS or size % 8:
        raise Invalid("size is not that of the pieces")
    moment = clock.now()
    # The clocks differ: none waits here for longer than any
    until = min(ends, int((moment + timedelta(seconds=settings.KME_WAIT_SECONDS)).timestamp()))
    if until <= moment.timestamp():
        raise Invalid("the key's time is over")
    key = DeliveredKey(
        key_id=_canonical(told["key_ID"]),
        master=told["master"],
        slaves=tuple(told["slaves"]),
        size=size,
        pieces=tuple(told["pieces"]),
        state=DeliveredState.WAITING,
        issued_at=moment,
        expires_at=datetime.fromtimestamp(until, UTC),
    )
    return Offered(key, told["proof"])


def _canonical(key_id: str) -> str:
    try:
        return canonical(key_id)
    except KeyNotFound:
        raise Invalid("key_ID shall be a UUID") from None


def _same(one: DeliveredKey, other: DeliveredKey) -> bool:
    return (one.master, one.slaves, int(one.size), one.pieces) == (
        other.master,
        other.slaves,
        int(other.size),
        other.pieces,
    )


def _check_applications(link: Link, key: DeliveredKey) -> None:
    found = saes.find_all([key.master, *key.slaves])
    master = found.get(key.master)
    if master is None or not master.is_active or master.site != link.link_id:
        raise NotAuthorised("The master is not registered here as one of the other site.")
    for slave in key.slaves:
        peer = found.get(slave)
        if peer is None or not peer.is_active or peer.site is not None or not master.may_ask_for(slave):
            raise NotAuthorised(
                "A slave is not an application of this site that shares keys with the master."
            )


def _check_proof(link: Link, one: Offered, actor: Actor) -> None:
    """Refuse a key whose bits are others here.

    Raises:
        _Differs: they are; the trail has it.
    """
    pieces = b"".join(quantum_keys.taken_key(piece) for piece in one.key.pieces)
    if compare_digest(proof_of(one.key, pieces), one.proof):
        return
    record(
        actor,
        DeliveryEvent.DIFFERS,
        outcome=Outcome.FAILED,
        key_id=one.key.key_id,
        link=link.link_id,
        pieces=list(one.key.pieces),
    )
    raise _Differs(one.key)


def _end_sessions(link: Link, key: DeliveredKey) -> None:
    """Use sessions whose keys are others at the other site for nothing any more; it follows once the sites compare them."""
    for session_id in sorted(key.sessions):
        try:
            transitions.revoke(
                session_id, reason="its keys are others at the other site", actor=runner_of(link.link_id)
            )
        except SessionUnusable as error:
            log.warning("link %s: %s", link.link_id, error.detail)  # it is out of use already
