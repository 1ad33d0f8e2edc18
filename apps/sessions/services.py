"""QKD sessions: run and kept ``pending`` until judged, found, listed."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import may_see, transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position, sort_key
from apps.common.errors import Invalid
from apps.links import services as links
from apps.sessions import finals, store
from apps.sessions.records import Session, SessionNotFound, SessionStatus
from apps.sessions.store import FinalKeyTable, SessionTable
from apps.sessions.trail import SessionEvent
from qkd import attacks, channel, session

SIFTED_BITS_PER_SECOND = 400_000  # of a slow Lambda core, reconciliation included: `make bench`
DEFAULT_LINK = links.DEFAULT
STUDY = "study"  # the reason's code

Engine = Callable[[session.SessionParameters], session.SessionResult]


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A session to be run. ``channel`` is a preset's name or the parameters of one."""

    key_length: int = 128
    error_rate: float | None = None
    channel: str | Mapping[str, Any] | None = None
    eavesdropper: Mapping[str, Any] = field(default_factory=lambda: {"kind": "none"})
    link: str = DEFAULT_LINK

    def as_document(self) -> dict[str, Any]:
        """As the session and its job keep it."""
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
    """Estimate how long the session takes on one core of a Lambda.

    Raises:
        Invalid: names the field and what is allowed.
    """
    return session.plan(_parameters(request)).expected_sifted / SIFTED_BITS_PER_SECOND


def generate(request: GenerateRequest, *, actor: Actor, engine: Engine = session.run) -> Session:
    """Run a BB84 session and keep it ``pending``, with its audit entry. Raw bits end with this call.

    A session that left no secret bit is kept too, with the reason: the detector judges its counts. So is a study,
    whose key somebody else knows in part or as a whole: with an eavesdropper, or seeded. Its key is not kept.

    Args:
        request: what is asked for.
        actor: who owns the session.
        engine: runs it; where it raises, nothing is kept.

    Raises:
        Invalid: names the field and what is allowed.
    """
    check(request, actor=actor)
    parameters = _parameters(request)
    result = engine(parameters)
    made = _record(
        request, result, owner=str(actor), tapped=not isinstance(parameters.attack, attacks.NoAttack)
    )
    final = finals.wrap(made, result.key_bytes) if made.secret and result.key_bytes is not None else None
    row = SessionTable.of(made)
    with transaction(actor) as tx:
        tx.put(row)
        if final is not None:
            tx.put(FinalKeyTable.of(final))
        tx.audit(
            SessionEvent.GENERATED,
            session_id=made.session_id,
            link=made.link,
            key_length=made.key_length,
            final_key_length=made.final_key_length,
            estimated_qber=round(made.estimated_qber, 6),
            reason_code=made.reason_code,
            commitment=None if final is None else final.commitment,
        )
    return row.record()


def check(request: GenerateRequest, *, actor: Actor) -> None:
    """Refuse what could not be run.

    Raises:
        Invalid: names the field and what is allowed; among it a link that does not exist, or does not serve the actor.
    """
    _parameters(request)
    links.check_usable(request.link, actor=actor)


def _reason(result: session.SessionResult, *, tapped: bool) -> tuple[str | None, str | None]:
    """Why a session gives no key, as a code and a sentence's part; nothing where it gives one."""
    if result.aborted:
        return result.aborted.code.value, result.aborted.reason
    if tapped:
        return STUDY, "it is a study: an eavesdropper took part, so its key is not kept and encrypts nothing"
    if not result.secret:
        return STUDY, "it is a study: its randomness was seeded, so its key is not kept and encrypts nothing"
    return None, None


def _record(request: GenerateRequest, result: session.SessionResult, *, owner: str, tapped: bool) -> Session:
    moment = clock.now()
    interval, counts = result.qber_interval, result.compared
    secret = result.secret and not tapped
    reason_code, reason = _reason(result, tapped=tapped)
    return Session(
        session_id=str(uuid.uuid4()),
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
        secret=secret,
        reason_code=reason_code,
        reason=reason,
        duration_ms=round(result.duration_seconds * 1000, 3),
        keys_total=result.final_length // settings.QUANTUM_KEY_BITS if secret else 0,
        ttl=int((moment + timedelta(days=settings.SESSION_TTL_DAYS)).timestamp()),
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


def overdue(seconds: int) -> list[Session]:
    """Sessions that have waited for their verdict for longer than this: their stream record was lost."""
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
        Invalid: a filter from a caller without the scope owners:all.
    """
    if not actor.sees_all:
        if link or status:
            raise Invalid.of("link" if link else "status", "Filtering needs the scope owners:all.")
        return store.sessions_page(limit=limit, position=position, owner=str(actor))
    return store.sessions_page(limit=limit, position=position, link=link, status=status)
