"""QKD sessions: run, kept ``pending`` until judged, then the source of quantum keys."""

import base64
import logging
import random
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from pynamodb.expressions.update import Action

from apps.audit.records import Actor, Event
from apps.audit.services import Conflict, Transaction, may_see, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position, feed, sort_key
from apps.common.errors import Invalid
from apps.common.sweeps import each
from apps.common.wrapping import UnwrappedCache, root_key
from apps.keys import recovery_seal
from apps.sessions import finals, store
from apps.sessions.records import (
    KeyPurpose,
    Offer,
    QuantumKey,
    QuantumKeyState,
    Session,
    SessionNotFound,
    SessionStatus,
    SessionUnusable,
    StockEmpty,
)
from apps.sessions.store import QuantumKeyTable, SessionTable
from qkd import attacks, channel, session

log = logging.getLogger(__name__)
KEY_BYTES = settings.QUANTUM_KEY_BITS // 8
STOCK_SESSION_BITS = 16_384  # 64 quantum keys: one wrapping, one judgement, one stream record for all of them
STOCK_SESSION_ERROR_RATE = 0.02
CANDIDATES = 10  # sessions offered from at random, so that concurrent takers seldom meet
RESERVED_SECONDS = 3600  # longer than any upload's encryption
SIFTED_BITS_PER_SECOND = 400_000  # of a slow Lambda core, reconciliation included: `make bench`
_finals = UnwrappedCache(max_items=64, ttl_seconds=60.0)
DEFAULT_LINK = "local"
OPENS = frozenset({SessionStatus.READY, SessionStatus.REVOKED})  # what was taken of it


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What a session is asked for. ``channel`` is a preset's name or the parameters of one."""

    key_length: int = 128
    error_rate: float | None = None
    channel: str | Mapping[str, Any] | None = None
    eavesdropper: Mapping[str, Any] = field(default_factory=lambda: {"kind": "none"})
    link: str = DEFAULT_LINK

    def as_document(self) -> dict[str, Any]:
        """What is kept of it, and sent to a job."""
        found: dict[str, Any] = {"key_length": self.key_length, "eavesdropper": dict(self.eavesdropper)}
        if self.error_rate is not None:
            found["error_rate"] = self.error_rate
        if self.channel is not None:
            found["channel"] = self.channel if isinstance(self.channel, str) else dict(self.channel)
        return found | {"link": self.link}


def _parameters(request: GenerateRequest) -> session.SessionParameters:
    """The engine's parameters.

    Raises:
        Invalid: names the field and what is allowed.
    """
    try:
        attack = attacks.attack(**request.eavesdropper)
    except (ValueError, TypeError) as error:
        raise Invalid.of("eavesdropper", str(error)) from None
    link: channel.Channel | None = None
    try:
        if isinstance(request.channel, str):
            link = channel.preset(request.channel)
        elif request.channel is not None:
            link = channel.Channel(**request.channel)
    except (ValueError, TypeError) as error:
        raise Invalid.of("channel", str(error)) from None
    error_rate = 0.02 if request.error_rate is None and link is None else request.error_rate
    try:
        return session.SessionParameters(
            key_length=request.key_length, error_rate=error_rate, channel=link, attack=attack
        )
    except ValueError as error:
        raise Invalid(str(error)) from None


def estimated_seconds(request: GenerateRequest) -> float:
    """How long the session will take on one core of a Lambda.

    Raises:
        Invalid: names the field and what is allowed.
    """
    return session.plan(_parameters(request)).expected_sifted / SIFTED_BITS_PER_SECOND


def generate(request: GenerateRequest, *, actor: Actor) -> Session:
    """Run a BB84 session and keep it ``pending``, with its audit entry. Raw bits end with this call.

    A session that left no secret bit is kept too, with the reason: the detector judges its counts.

    Raises:
        Invalid: names the field and what is allowed.
    """
    result = session.run(_parameters(request))
    made = _recorded(request, result, owner=str(actor))
    with transaction(actor) as tx:
        tx.put(SessionTable.of(made))
        tx.audit(
            Event.SESSION_GENERATED,
            session_id=made.session_id,
            link=made.link,
            key_length=made.key_length,
            final_key_length=made.final_key_length,
            estimated_qber=round(made.estimated_qber, 6),
            reason_code=made.reason_code,
        )
    return made


def _recorded(request: GenerateRequest, result: session.SessionResult, *, owner: str) -> Session:
    moment, session_id = clock.now(), str(uuid.uuid4())
    interval, counts = result.qber_interval, result.compared
    made = Session(
        session_id=session_id,
        timestamp=moment,
        status=SessionStatus.PENDING,
        owner=owner,
        link=request.link,
        key_length=result.key_length,
        parameters=request.as_document(),
        expected_qber=result.plan.expected_qber,
        estimated_qber=result.qber,
        qber_low=interval.low if interval else 0.0,
        qber_high=interval.high if interval else 1.0,
        counts={
            "n_rect": counts.n_rect,
            "errors_rect": counts.errors_rect,
            "n_diag": counts.n_diag,
            "errors_diag": counts.errors_diag,
        },
        ledger=result.ledger(),
        sifted_key_length=result.sifted_length,
        corrected_key_length=result.corrected_length,
        final_key_length=result.final_length,
        secret=result.secret,
        reason_code=result.aborted.code.value if result.aborted else None,
        reason=result.aborted.reason if result.aborted else None,
        duration_ms=round(result.duration_seconds * 1000, 3),
        ttl=int((moment + timedelta(days=settings.SESSION_TTL_DAYS)).timestamp()),
    )
    key = result.key_bytes
    return made if key is None else _with_key(made, key)


def _with_key(made: Session, key: bytes) -> Session:
    root = root_key()
    wrapped = root.wrap(key, context=finals.context_of(made.session_id))
    return replace(
        made,
        encrypted_final_key=base64.b64encode(wrapped).decode(),
        root_key_id=root.id,
        recovery_seal=recovery_seal.sealed(key, context=finals.context_of(made.session_id)),
        keys_total=made.final_key_length // settings.QUANTUM_KEY_BITS if made.secret else 0,
    )


def find(session_id: str, *, actor: Actor) -> Session:
    """One session that the actor may see.

    Raises:
        SessionNotFound: no such session, or another's.
    """
    found = SessionTable.find(session_id)
    if found is None or not may_see(actor, found.owner, session_id=session_id):
        raise SessionNotFound(f"There is no session {session_id!r}.")
    return found


def settle(tx: Transaction, judged: Session, status: SessionStatus) -> None:
    """Move a ``pending`` session to what the detector found, in the detection's transaction.

    A compromised session loses its wrapped key: nothing can ever use it.
    """
    ready = status is SessionStatus.READY
    actions: list[Action] = [
        SessionTable.status.set(status),
        SessionTable.judged_at.set(clock.now()),
        SessionTable.status_feed.set(feed(status, judged.session_id)),
    ]
    if ready and judged.keys_total:
        actions.append(SessionTable.stock_feed.set(feed(store.STOCK, judged.session_id)))
    if not ready:
        actions += [
            SessionTable.encrypted_final_key.remove(),
            SessionTable.root_feed.remove(),
            SessionTable.recovery_seal.remove(),
        ]
    tx.update(
        SessionTable.of(judged),
        actions,
        condition=SessionTable.status == SessionStatus.PENDING,
        otherwise=SessionUnusable("The session was judged already."),
    )


def revoke(session_id: str, *, reason: str, actor: Actor) -> Session:
    """Take every key of a ready session out of use, in one write however many there are.

    None of them can be taken any more. Keys that were taken still open what they encrypted (I4), so that it can
    be encrypted anew; where none was taken, the wrapped key is removed. A process that has the key in memory
    offers no more of it, as taking one checks the session's state.

    Raises:
        SessionNotFound: no such session, or another's.
        SessionUnusable: it is not ready.
    """
    try:
        _revoke(find(session_id, actor=actor), reason, actor)
    except Conflict:  # its first key was taken just now, so that the wrapped key has to stay
        _revoke(find(session_id, actor=actor), reason, actor)
    _finals.forget(session_id)
    return find(session_id, actor=actor)


def _revoke(found: Session, reason: str, actor: Actor) -> None:
    if found.status is not SessionStatus.READY:
        raise SessionUnusable(
            f"Session {found.session_id} is {found.status}; only a ready one can be revoked."
        )
    actions: list[Action] = [
        SessionTable.status.set(SessionStatus.REVOKED),
        SessionTable.status_feed.set(feed(SessionStatus.REVOKED, found.session_id)),
        SessionTable.reason.set(reason),
        SessionTable.stock_feed.remove(),
    ]
    unchanged = SessionTable.status == SessionStatus.READY
    if not found.keys_taken:
        wrapped = (SessionTable.encrypted_final_key, SessionTable.root_feed, SessionTable.recovery_seal)
        actions += [attribute.remove() for attribute in wrapped]
        unchanged &= SessionTable.keys_taken == 0
    with transaction(actor) as tx:
        tx.update(SessionTable.of(found), actions, condition=unchanged)
        tx.audit(
            Event.SESSION_REVOKED,
            session_id=found.session_id,
            reason=reason,
            taken=int(found.keys_taken),
            never_taken=int(found.keys_total - found.keys_taken),
        )


def taken_from(session_id: str, *, limit: int, position: Position | None = None) -> Page[QuantumKey]:
    """Who took which keys of a session for what, newest first: what is to be encrypted anew after a revocation."""
    return store.taken_page(session_id, limit=limit, position=position)


class _Numbers:
    """The next number this process would try for a session: its own threads then never collide."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.next: OrderedDict[str, int] = OrderedDict()

    def draw(self, session_id: str, at_least: int, total: int) -> int | None:
        with self.lock:
            number = max(at_least, self.next.pop(session_id, 0))
            if number >= total:  # from the start again: some were drawn and, as something failed, never taken
                return None
            self.next[session_id] = number + 1
            if len(self.next) > 1024:
                self.next.popitem(last=False)
        return number


_numbers = _Numbers()


def offer(*, session_id: str | None = None, actor: Actor | None = None) -> Offer:
    """A quantum key to try to take: of any ready session, or of the one named.

    Raises:
        StockEmpty: no session has a key left.
        SessionNotFound, SessionUnusable: the named session is not the actor's, not ready, or has no key left.
    """
    if session_id is not None and actor is not None:
        found = find(session_id, actor=actor)
        if found.status is not SessionStatus.READY:
            raise SessionUnusable(
                f"Session {session_id} is {found.status}; only a ready session's key can be used."
            )
        drawn = _drawn(session_id, found.keys_taken, found.keys_total)
        if drawn is None:
            raise SessionUnusable(f"Session {session_id} has no unused {settings.QUANTUM_KEY_BITS}-bit key.")
        return drawn
    candidates = store.stocked(CANDIDATES)
    random.shuffle(candidates)
    for candidate in candidates:
        try:
            drawn = _drawn(*candidate)
        except (SessionNotFound, SessionUnusable) as error:  # one damaged record must not stop everyone
            log.warning("session %s is passed over: %s", candidate[0], error.detail)
            continue
        if drawn is not None:
            return drawn
    raise StockEmpty("No quantum key is ready; sessions are being run. Try again in a few seconds.")


def _drawn(session_id: str, taken: int, total: int) -> Offer | None:
    number = _numbers.draw(session_id, taken, total)
    if number is None:
        return None
    return Offer(session_id, number, number == total - 1, key_bytes(session_id, number))


def key_bytes(session_id: str, number: int) -> bytes:
    """The ``number``-th quantum key of a session: unwrapped and checked (C3).

    Raises:
        SessionNotFound: the session is gone.
        SessionUnusable: it has no such key, or what is stored is not its key.
    """
    final = _finals.get(session_id, lambda: _unwrapped(session_id))
    if not 0 <= number < len(final) // KEY_BYTES:
        raise SessionUnusable(f"Session {session_id} has no key number {number}.")
    return final[number * KEY_BYTES : (number + 1) * KEY_BYTES]


def _unwrapped(session_id: str) -> bytes:
    found = SessionTable.find(session_id)
    if found is None:
        raise SessionNotFound(f"There is no session {session_id!r}.")
    if found.status not in OPENS or found.encrypted_final_key is None:
        raise SessionUnusable(f"Session {session_id} is {found.status}: it has no usable key.")
    return finals.unwrapped(found)


def take(
    tx: Transaction,
    offered: Offer,
    *,
    purpose: KeyPurpose,
    subject: str,
    state: QuantumKeyState = QuantumKeyState.USED,
) -> None:
    """Take the offered key in a transaction: exactly one taker succeeds (I3).

    The session's time to live ends with its first taken key (I5): what needs it has no expiry.

    Raises (at commit):
        KeyTaken: someone else was faster; ask for another offer.
    """
    taken = QuantumKey(
        key_id=offered.key_id,
        session_id=offered.session_id,
        number=offered.number,
        state=state,
        purpose=purpose,
        subject=subject,
        taken_by=str(tx.actor),
        taken_at=clock.now(),
    )
    tx.put(QuantumKeyTable.of(taken), otherwise=KeyTaken(f"Quantum key {offered.key_id} is taken."))
    actions: list[Action] = [SessionTable.keys_taken.add(1), SessionTable.ttl.remove()]
    if offered.last:
        actions.append(SessionTable.stock_feed.remove())
    tx.update(
        SessionTable(session_id=offered.session_id),
        actions,
        condition=SessionTable.status == SessionStatus.READY,
        otherwise=SessionUnusable(f"Session {offered.session_id} is no longer ready."),
    )


class KeyTaken(Exception):
    """Two asked for the same quantum key; this one was second. Nothing was changed."""


def use_reserved(tx: Transaction, key_id: str) -> None:
    """A reserved key becomes used, with the record that needs it.

    Raises (at commit):
        SessionUnusable: the reservation has ended, or the session was revoked meanwhile.
    """
    session_id = key_id.rpartition(".")[0]
    tx.require(
        SessionTable(session_id=session_id),
        condition=SessionTable.status == SessionStatus.READY,
        otherwise=SessionUnusable(f"Session {session_id} is no longer ready."),
    )
    tx.update(
        QuantumKeyTable(key_id=key_id),
        [QuantumKeyTable.state.set(QuantumKeyState.USED), QuantumKeyTable.reserved_feed.remove()],
        condition=QuantumKeyTable.state == QuantumKeyState.RESERVED,
        otherwise=SessionUnusable(f"The reservation of quantum key {key_id} has ended."),
    )


def taken_key(key_id: str) -> bytes:
    """The key behind an id that a package carries, however long ago it was taken.

    Raises:
        SessionNotFound, SessionUnusable: the id names nothing, or the session is gone or compromised.
    """
    session_id, dot, number = key_id.rpartition(".")
    if not dot or not number.isdecimal():
        raise SessionNotFound(f"There is no quantum key {key_id!r}.")
    return key_bytes(session_id, int(number))


def stale_reservations() -> list[QuantumKey]:
    """Reservations whose holder never came back."""
    return list(store.reserved_before(clock.ago(RESERVED_SECONDS)))


def discard_stale(*, actor: Actor) -> int:
    """End reservations whose holder never came back; the keys are never used again."""
    return discard(stale_reservations(), actor=actor)


def discard(reserved: Iterable[QuantumKey], *, actor: Actor) -> int:
    """End these reservations; returns how many."""

    def end(key: QuantumKey) -> None:
        with transaction(actor) as tx:
            tx.update(
                QuantumKeyTable.of(key),
                [
                    QuantumKeyTable.state.set(QuantumKeyState.DISCARDED),
                    QuantumKeyTable.reserved_feed.remove(),
                ],
                condition=QuantumKeyTable.state == QuantumKeyState.RESERVED,
            )
            tx.audit(Event.QUANTUM_KEY_DISCARDED, session_id=key.session_id, quantum_key_id=key.key_id)

    return each(reserved, end)


def stock() -> int:
    """Quantum keys ready to be taken, counted over at most 100 sessions."""
    return sum(total - taken for _, taken, total in store.stocked(100))


def refill(*, actor: Actor) -> int:
    """Run one session for the stock when it is below the low-water mark; returns the quantum keys to come."""
    if stock() >= settings.STOCK_LOW_WATER or any(True for _ in _pending_stock()):
        return 0
    request = GenerateRequest(
        key_length=STOCK_SESSION_BITS, error_rate=STOCK_SESSION_ERROR_RATE, link="stock"
    )
    return generate(request, actor=actor).keys_total


def stock_pending() -> int:
    """Quantum keys of sessions that were run lately and are not judged yet."""
    return sum(int(waiting.keys_total) for waiting in _pending_stock())


def _pending_stock() -> list[Session]:
    """Stock sessions that wait for their judgement: no need to run another."""
    fresh = clock.ago(120)
    found = store.sessions_page(limit=10, status=SessionStatus.PENDING).records
    return [waiting for waiting in found if waiting.keys_total and waiting.timestamp > fresh]


def overdue(seconds: int) -> list[Session]:
    """Sessions that wait for judgement for longer than this: their stream record was lost."""
    return list(store.pending_before(clock.ago(seconds)))


def history(link: str, *, before: Session, limit: int = 64) -> list[Session]:
    """Ready sessions of a link before one session, oldest first."""
    place = Position(sort_key(before.timestamp, before.session_id))
    earlier = store.sessions_page(limit=limit, link=link, position=place).records
    return [past for past in reversed(earlier) if past.status is SessionStatus.READY]


def listed(
    *,
    actor: Actor,
    limit: int,
    position: Position | None = None,
    link: str | None = None,
    status: SessionStatus | None = None,
) -> Page[Session]:
    """Sessions that the actor may see, newest first.

    Raises:
        Invalid: a filter from someone who does not see all.
    """
    if not actor.sees_all:
        if link or status:
            raise Invalid.of("link" if link else "status", "only who sees all sessions can filter them so")
        return store.sessions_page(limit=limit, position=position, owner=str(actor))
    return store.sessions_page(limit=limit, position=position, link=link, status=status)


def find_taken(key_id: str) -> QuantumKey | None:
    """Who took a quantum key for what, or None."""
    return QuantumKeyTable.find(key_id)
