"""QKD sessions: run and kept ``pending`` until judged, found, listed."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import Transaction, may_see, transaction
from apps.common import clock, tracing
from apps.common.dynamodb import Page, Position, sort_key
from apps.common.errors import Invalid
from apps.common.idempotency import keep
from apps.links import services as links
from apps.links.records import Link, LinkSource
from apps.links.services import LinkChanged
from apps.sessions import finals, store
from apps.sessions.records import FinalKey, Session, SessionNotFound, SessionStatus
from apps.sessions.store import FinalKeyTable, SessionTable
from apps.sessions.trail import SessionEvent

if TYPE_CHECKING:
    # The engine is imported where it runs: numpy and it are a fifth of a cold start, and few requests run sessions
    from qkd.channel import Channel
    from qkd.session import SessionParameters, SessionResult

SIFTED_BITS_PER_SECOND = 400_000  # of a slow Lambda core, reconciliation included: `make bench`
DEFAULT_LINK = links.DEFAULT
DEFAULT_KEY_LENGTH = 4096  # 16 quantum keys; of fewer than 256 bits none could be cut
ALL = "all"  # the key length that is all that the bound leaves
STUDY = "study"  # the reason's code
HISTORY_PAGES = 8
MOST = 200  # sessions that are counted where they wait: that many or more is enough to act

Engine = Callable[["SessionParameters"], "SessionResult"]
Also = Callable[[Transaction, Session], None]


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A session to be run. ``channel`` is a preset's name or the parameters of one.

    A key of length ``ALL`` has every secret bit that the bound leaves of the photons that ``at_least`` bits take.
    """

    key_length: int | str = DEFAULT_KEY_LENGTH
    at_least: int | None = None
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
        if self.at_least is not None:
            found["at_least"] = self.at_least
        return found | {"link": self.link}


def _parameters(request: GenerateRequest) -> "SessionParameters":
    """The engine's parameters.

    Raises:
        Invalid: names the field and what is allowed.
    """
    from qkd import attacks, channel, session  # noqa: PLC0415 - see above

    try:
        attack = attacks.attack(**request.eavesdropper)
    except (ValueError, TypeError) as error:
        raise Invalid.of("eavesdropper", str(error)) from None
    link: Channel | None = None
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
            key_length=_fewest_bits(request),
            variable_length=request.key_length == ALL,
            error_rate=error_rate,
            channel=link,
            attack=attack,
        )
    except ValueError as error:
        raise Invalid(str(error)) from None


def _fewest_bits(request: GenerateRequest) -> int:
    if request.key_length == ALL:
        return DEFAULT_KEY_LENGTH if request.at_least is None else request.at_least
    if isinstance(request.key_length, str):
        raise Invalid.of("key_length", f'a number of bits, or "{ALL}"')
    if request.at_least is not None:
        raise Invalid.of("at_least", f'Leave it out, or ask for the key_length "{ALL}".')
    return request.key_length


def estimated_seconds(request: GenerateRequest) -> float:
    """Estimate how long the session takes on one core of a Lambda.

    Raises:
        Invalid: names the field and what is allowed.
    """
    from qkd import session  # noqa: PLC0415 - see above

    return session.plan(_parameters(request)).expected_sifted / SIFTED_BITS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a session is expected to do, by formulas: nothing is run."""

    feasible: bool
    reason: str | None
    pulses: int
    expected_sifted: int
    expected_qber: float  # with the eavesdropper that was asked for
    planned_length: int  # bits that the bound leaves
    quantum_keys: int  # cut from them, unless the session is a study
    seconds: float  # on one core of a Lambda


def outlook(request: GenerateRequest) -> Outlook:
    """Predict a session by the engine's formulas.

    Raises:
        Invalid: names the field and what is allowed.
    """
    from qkd import attacks, session  # noqa: PLC0415 - see above

    parameters = _parameters(request)
    planned = session.plan(parameters)
    eve = attacks.attack(**request.eavesdropper)
    tapped = not isinstance(eve, attacks.NoAttack)
    qber = attacks.expectation(planned.channel, eve).qber if tapped else planned.expected_qber
    wanted = planned.planned_length if request.key_length == ALL else _fewest_bits(request)
    keys = 0 if tapped or not planned.feasible else wanted // settings.QUANTUM_KEY_BITS
    return Outlook(
        feasible=planned.feasible,
        reason=planned.reason,
        pulses=planned.pulses,
        expected_sifted=planned.expected_sifted,
        expected_qber=float(qber),
        planned_length=planned.planned_length,
        quantum_keys=keys,
        seconds=planned.expected_sifted / SIFTED_BITS_PER_SECOND,
    )


def generate(
    request: GenerateRequest, *, actor: Actor, engine: Engine | None = None, also: Also | None = None
) -> Session:
    """Run a BB84 session and keep it ``pending``, with its audit entry. Raw bits end with this call.

    A session that left no secret bit is kept too, with the reason: the detector judges its counts. So is a study,
    whose key somebody else knows in part or as a whole: with an eavesdropper, or seeded. Its key is not kept.

    Args:
        request: what is asked for.
        actor: who owns the session.
        engine: runs it, ``qkd.session.run`` unless given; where it raises, nothing is kept.
        also: adds to the transaction that keeps the session.

    Raises:
        Invalid: names the field and what is allowed.
        LinkUnusable: the link is not active, or was taken out of use while the session was run.
    """
    from qkd import attacks, session  # noqa: PLC0415 - see above

    link = links.running(request.link, actor=actor)
    request = over(request, link)
    parameters = _parameters(request)
    result = (engine or session.run)(parameters)
    made = _record(
        request, result, owner=str(actor), tapped=not isinstance(parameters.attack, attacks.NoAttack)
    )
    final = finals.wrap(made, result.key_bytes) if made.secret and result.key_bytes is not None else None
    try:
        return _keep(made, final, link, actor, also)
    except LinkChanged:  # renamed, perhaps, while the session was run: it counts whether it is still active
        return _keep(made, final, links.running(request.link, actor=actor), actor, also)


def _keep(made: Session, final: FinalKey | None, link: Link, actor: Actor, also: Also | None) -> Session:
    """Keep a session that was run, unless its link was taken out of use meanwhile."""
    row = SessionTable.of(made)
    with transaction(actor) as tx:
        keep(tx, "session", session_id=made.session_id)
        links.require_running(tx, link)
        if also is not None:
            also(tx, made)
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
        LinkUnusable: the link is paused, quarantined or retired.
    """
    _parameters(planned(request, actor=actor))


def planned(request: GenerateRequest, *, actor: Actor) -> GenerateRequest:
    """The request as it would be run over its link now.

    Raises:
        Invalid, LinkUnusable: as ``check``.
    """
    return over(request, links.check_usable(request.link, actor=actor))


def over(request: GenerateRequest, link: Link) -> GenerateRequest:
    """The request with what its link says of the channel.

    Raises:
        Invalid: it asks for another channel than the link has.
    """
    if link.source is not LinkSource.SIMULATOR:
        raise Invalid.of(
            "link", f"The keys over {link.link_id} come from {link.source}: no session is run over it."
        )
    told = dict(link.parameters or {})
    if not told:
        return request
    for name in ("channel", "error_rate"):
        asked = getattr(request, name)
        if asked is not None and asked != told.get(name):
            raise Invalid.of(name, f"Link {link.link_id} has a channel of its own. Leave out {name}.")
    return replace(request, **told)


def _reason(result: "SessionResult", *, tapped: bool) -> tuple[str | None, str | None]:
    """Why a session gives no key, as a code and a sentence's part; nothing where it gives one."""
    if result.aborted:
        return result.aborted.code.value, result.aborted.reason
    if tapped:
        return STUDY, "it is a study: an eavesdropper took part, so its key is not kept and encrypts nothing"
    if not result.secret:
        return STUDY, "it is a study: its randomness was seeded, so its key is not kept and encrypts nothing"
    return None, None


def _record(request: GenerateRequest, result: "SessionResult", *, owner: str, tapped: bool) -> Session:
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
        trace=tracing.carried(),
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


def since(
    moment: datetime, *, actor: Actor, limit: int, link: str | None = None
) -> tuple[list[Session], bool]:
    """Sessions that were started since a moment, of all links or one: the newest, and whether these are all.

    Raises:
        Invalid: as ``listed``.
    """
    page = listed(actor=actor, limit=limit, link=link)
    found = [session for session in page.records if session.timestamp >= moment]
    return found, len(found) < len(page.records) or page.older is None


def waiting() -> list[Session]:
    """Sessions of all owners that wait for their verdict, MOST at most: of more, the oldest of each shard."""
    return list(islice(store.pending_before(clock.now()), MOST))


def overdue(seconds: int) -> list[Session]:
    """Sessions that have waited for their verdict for longer than this: their stream record was lost."""
    return list(store.pending_before(clock.ago(seconds)))


def history(link: str, *, before: Session, limit: int = 64) -> list[Session]:
    """Ready sessions of a link before one session, oldest first: as many as ``limit``, past others in between.

    It looks back over ``HISTORY_PAGES`` pages at most: a link that has had no ready session for so long has no habit.
    """
    place: Position | None = Position(sort_key(before.timestamp, before.session_id))
    ready: list[Session] = []
    for _ in range(HISTORY_PAGES):
        page = store.sessions_page(limit=limit, link=link, position=place)
        ready += [past for past in page.records if past.status is SessionStatus.READY]
        place = None if page.older is None else Position(page.older)
        if len(ready) >= limit or place is None:
            break
    return ready[limit - 1 :: -1] if len(ready) >= limit else ready[::-1]


def listed(
    *,
    actor: Actor,
    limit: int,
    position: Position | None = None,
    link: str | None = None,
    status: SessionStatus | None = None,
    owner: str | None = None,
) -> Page[Session]:
    """Sessions that the actor may see, newest first: all, or by one of link, status and owner.

    Raises:
        Invalid: a filter from a caller without the scope owners:all.
    """
    if not actor.sees_all:
        for name, asked in (("link", link), ("status", status), ("owner", owner)):
            if asked:
                raise Invalid.of(name, "Filtering needs the scope owners:all.")
        return store.sessions_page(limit=limit, position=position, owner=str(actor))
    return store.sessions_page(limit=limit, position=position, link=link, status=status, owner=owner)
