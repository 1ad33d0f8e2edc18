"""Keys from other key management entities: drawn within their limits, as many as a link's marks ask for, and kept.

Once the platform was given keys, nobody else has them: what is lost between their answer and our transaction is lost for
good, so that each answer is kept before the next is asked for. No id and no key comes in twice over one link, whenever
that is: each leaves a mark, by a condition of the same transaction.
"""

import hashlib
import json
import logging
import uuid
from collections.abc import Sequence
from hmac import digest

from django.conf import settings

from apps.audit.records import Actor, Outcome, system
from apps.audit.services import Transaction, record
from apps.common import aws, clock
from apps.common.authenticated import RecordKey, accepted_keys, current_key
from apps.common.dynamodb import Table
from apps.common.errors import Invalid, PlatformError, Refused
from apps.common.sweeps import each
from apps.kme import remote
from apps.kme.records import ReceivedMark
from apps.kme.remote import RemoteKey
from apps.kme.store import ReceivedMarkTable
from apps.kme.trail import ReceptionEvent
from apps.kme.transport import Fault, KmeFailed
from apps.links import services as links
from apps.links import times, transitions
from apps.links.records import Link, LinkSource, LinkState, LinkUnusable
from apps.sessions import receiving, stock
from apps.sessions.records import Session

ROOM = 90  # rows of a transaction for the marks of an answer, beside its session
MOST_ANSWERS = 25  # of one link at a time
log = logging.getLogger(__name__)


def receive_all() -> int:
    """Draw keys for each link from another entity whose keys run low; return how many came in.

    A link that gives none is told in the trail, and keeps no other from its keys.

    Raises:
        ExceptionGroup: what could not be told, once all were tried.
    """
    wanted = [link for link in links.supplied() if link.source is LinkSource.EXTERNAL_KME]
    came: list[int] = []
    each(wanted, lambda link: came.append(_received(link)))
    return sum(came)


def _received(link: Link) -> int:
    actor = receiver_of(link.link_id)
    try:
        return receive(link, actor=actor)
    except KmeFailed as error:
        _fail(link, error, actor)
    except PlatformError as error:
        log.warning("link %s: no keys came in: %s", link.link_id, error.detail)
    return 0


def receiver_of(link_id: str) -> Actor:
    """Whose the keys over a link are: the platform's."""
    return system(f"receiver {link_id}")


def receive(link: Link, *, actor: Actor) -> int:
    """Draw keys until a link has as many ready as its target, or there are no more; return how many came in.

    Raises:
        KmeFailed: the other entity does not answer, or not as it should; what came in before is kept.
    """
    missing = _missing(link)
    if missing <= 0:
        return 0
    kme = remote.connect(link.parameters or {})
    came = 0
    try:
        limits = kme.limits()
        bits = settings.QUANTUM_KEY_BITS
        if not limits.shortest <= bits <= limits.longest:
            raise KmeFailed(Fault.WRONG_SIZE, f"It gives no keys of {bits} bits.")
        wanted = min(missing, limits.stored)
        if not wanted or not limits.per_request:
            raise KmeFailed(Fault.UNAVAILABLE, "It has no keys for us now.")
        for _ in range(MOST_ANSWERS):
            number = min(wanted - came, limits.per_request, most_at_once())
            if number <= 0:
                break
            keys = kme.draw(number, bits=bits)
            came += len(_keep(link, keys, actor).ledger["key_ids"])
    finally:
        kme.close()
    return came


def collect(link_id: str, key_ids: Sequence[str], *, actor: Actor) -> Session:
    """Draw the keys of some ids as the slave: the link's peer, as their master, was given them and told us the ids.

    Raises:
        LinkNotFound: no such link.
        LinkUnusable: it is not active.
        Invalid: its keys do not come from another entity; or these are no ids, the same twice, or too many.
        KmeFailed: the other entity does not give just these; the trail says why.
    """
    link = links.find(link_id)
    if link.source is not LinkSource.EXTERNAL_KME:
        raise Invalid.of("link", f"The keys over {link_id} come from {link.source}, not from another entity.")
    if not link.is_active:
        raise LinkUnusable(f"Link {link_id} is {link.state}, so no keys are drawn over it.")
    wanted = _canonical(key_ids)
    receiver = receiver_of(link_id)
    try:
        kme = remote.connect(link.parameters or {})
        try:
            keys = kme.collect(wanted, bits=settings.QUANTUM_KEY_BITS)
            return _keep(link, keys, receiver, asked_by=actor)
        finally:
            kme.close()
    except KmeFailed as error:
        _fail(link, error, receiver)
        raise


def _canonical(key_ids: Sequence[str]) -> list[str]:
    try:
        found = [str(uuid.UUID(one)) for one in key_ids]
    except (ValueError, AttributeError, TypeError):
        raise Invalid.of("key_ids", "An id of a key is a UUID.") from None
    if not 1 <= len(found) <= most_at_once() or len(set(found)) < len(found):
        raise Invalid.of("key_ids", f"From 1 to {most_at_once()} ids, each once.")
    return found


def most_at_once() -> int:
    """How many keys of one answer, with their marks, fit in one transaction."""
    return ROOM // (1 + len(accepted_keys()))


def _missing(link: Link) -> int:
    pending = stock.pending_over(link.link_id)
    ready = stock.ready_over(link.link_id) + pending
    target = int(link.target or 0)
    least = times.threshold(link.schedule, clock.now(), low_water=int(link.low_water or 0), target=target)
    return target - ready if ready < least else 0


def _keep(link: Link, keys: Sequence[RemoteKey], actor: Actor, *, asked_by: Actor | None = None) -> Session:
    parameters = dict(link.parameters or {})
    source = {
        "source": link.source.value,
        "base_url": parameters["base_url"],
        "peer": parameters["peer"],
        **({"role": "slave", "asked_by": str(asked_by)} if asked_by is not None else {}),
    }
    return receiving.keep(
        link,
        [one.key for one in keys],
        key_ids=[one.key_id for one in keys],
        source=source,
        actor=actor,
        also=lambda tx, made: _mark(tx, made, keys),
    )


def _mark(tx: Transaction, made: Session, keys: Sequence[RemoteKey]) -> None:
    """Leave what each key is known again by, in the transaction that keeps it.

    Raises (at commit):
        KmeFailed: one of them, or its id, came in before.
    """

    def row_of(mark: str) -> Table[ReceivedMark]:
        return ReceivedMarkTable.of(ReceivedMark(mark, made.link, made.session_id, made.timestamp))

    for one in keys:
        again = KmeFailed(Fault.REPEATED_ID, "It gave an id of a key that it gave before.")
        tx.put(row_of(f"{made.link}|id|{one.key_id}"), otherwise=again, first=True)
    for one in keys:
        again = KmeFailed(Fault.REPEATED_KEY, "It gave a key that it gave before.")
        tx.put(row_of(_mac(one, current_key())), otherwise=again, first=True)
        for old in accepted_keys().values():  # what came in before the record key was changed
            if old != current_key():
                tx.require_absent(row_of(_mac(one, old)), otherwise=again)


def _mac(key: RemoteKey, under: RecordKey) -> str:
    """The mark of a key's bits: an HMAC, by which nobody finds them."""
    return f"key|{digest(under.secret, b'received key v1|' + key.key, hashlib.sha256).hex()}"


def _fail(link: Link, error: KmeFailed, actor: Actor) -> None:
    """Say that a link gave no keys; one whose keys are not to be trusted rests until somebody looked at it."""
    log.warning("link %s: no keys came in: %s (%s)", link.link_id, error.detail, error.fault)
    record(
        actor,
        ReceptionEvent.FAILED,
        outcome=Outcome.FAILED,
        link=link.link_id,
        fault=error.fault,
        why=error.detail,
    )
    if error.fault.is_alarming:
        _rest(link, error, actor)
    if settings.ALERT_TOPIC_ARN:
        text = {
            "event": str(ReceptionEvent.FAILED),
            "link": link.link_id,
            "fault": error.fault,
            "why": error.detail,
        }
        aws.client("sns").publish(
            TopicArn=settings.ALERT_TOPIC_ARN, Subject="A link gives no keys", Message=json.dumps(text)
        )


def _rest(link: Link, error: KmeFailed, actor: Actor) -> None:
    reason = f"{error.fault}: {error.detail}"
    try:
        transitions.move(link.link_id, LinkState.PAUSED, reason=reason, actor=actor)
    except Refused:
        if links.find(link.link_id).is_active:
            raise
        log.warning("link %s is out of use already", link.link_id)
