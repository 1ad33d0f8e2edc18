"""Keys that another key management entity made: kept as a session of the link, wrapped, judged before anything uses them.

Nothing is known of their photons: no counts, no error rate. What can be said of the bits themselves is worked out as they
come in, and stands in the ledger for the verdict.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common import clock, tracing
from apps.links import services as links
from apps.links.records import Link
from apps.sessions import finals, randomness
from apps.sessions.records import KEY_BYTES, Session, SessionStatus
from apps.sessions.services import Also
from apps.sessions.store import FinalKeyTable, SessionTable
from apps.sessions.trail import SessionEvent

LEDGER = "received"


def is_received(session: Session) -> bool:
    """Return whether a session's keys came from another key management entity."""
    return LEDGER in session.ledger


def keep(
    link: Link,
    keys: Sequence[bytes],
    *,
    key_ids: Sequence[str],
    source: Mapping[str, Any],
    actor: Actor,
    also: Also,
) -> Session:
    """Keep keys that came in over a link, ``pending`` until judged, with their entry.

    Args:
        link: as it was read before they were asked for.
        keys: each of the length of a quantum key.
        key_ids: their ids at the other entity, in order.
        source: where they come from, for the session's parameters.
        actor: whose they are: the platform.
        also: adds to the transaction.

    Raises:
        ValueError: a key has another length.
        LinkUnusable (at commit): the link was paused or quarantined meanwhile; the keys are dropped.
    """
    if any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(f"A quantum key has {KEY_BYTES} bytes.")
    bits = b"".join(keys)
    ledger = {
        LEDGER: randomness.p_values(bits),
        "key_ids": list(key_ids),
        "lengths": {"final": 8 * len(bits)},
    }
    made = _record(link, 8 * len(bits), ledger, source, str(actor))
    final = finals.wrap(made, bits)
    row = SessionTable.of(made)
    with transaction(actor) as tx:
        links.require_running(tx, link)
        also(tx, made)
        tx.put(row)
        tx.put(FinalKeyTable.of(final))
        tx.audit(
            SessionEvent.RECEIVED,
            session_id=made.session_id,
            link=link.link_id,
            keys=len(keys),
            commitment=final.commitment,
        )
    return row.record()


def _record(
    link: Link, bits: int, ledger: Mapping[str, Any], source: Mapping[str, Any], owner: str
) -> Session:
    moment = clock.now()
    return Session(
        session_id=str(uuid.uuid4()),
        timestamp=moment,
        status=SessionStatus.PENDING,
        owner=owner,
        link=link.link_id,
        key_length=bits,
        parameters=source,
        expected_qber=0.0,
        estimated_qber=0.0,
        qber_low=0.0,
        qber_high=1.0,
        counts={"n_rect": 0, "errors_rect": 0, "n_diag": 0, "errors_diag": 0},
        ledger=ledger,
        sifted_key_length=0,
        corrected_key_length=0,
        final_key_length=bits,
        secret=True,
        reason_code=None,
        reason=None,
        duration_ms=0.0,
        keys_total=bits // settings.QUANTUM_KEY_BITS,
        ttl=int((moment + timedelta(days=settings.SESSION_TTL_DAYS)).timestamp()),
        trace=tracing.carried(),
    )
