"""One end of a session over the engine's two-party protocol: what it plans, does, and knows at the end."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from qkd import universal
from qkd.authentication import DEFAULT_EPSILON_AUTH, AuthenticationKey, Pad, Tag, tag_bits
from qkd.classical import ConnectionLostError, ProtocolError, SocketChannel, serve
from qkd.estimation import BasisCounts, qber_interval
from qkd.parties import Alice, Bob
from qkd.randomness import Randomness
from qkd.results import AbortCode, link_of
from qkd.session import SessionParameters, agree, plan

if TYPE_CHECKING:
    import socket

    from qkd.agreement import Agreement, Evidence
    from qkd.bb84 import AliceRecord, BobRecord
    from qkd.planning import Plan

BITS = 65_536  # of a session's key, at least, unless the link says so: 256 quantum keys


@dataclass(frozen=True)
class Setting:
    """What both ends work out of the link's parameters, alike."""

    parameters: SessionParameters
    plan: "Plan"
    agreement: "Agreement"

    @classmethod
    def of(cls, link: Mapping[str, Any]) -> "Setting":
        """Plan a session over a link of these parameters."""
        from qkd import channel  # noqa: PLC0415

        told = link.get("channel")
        made = (
            channel.preset(told)
            if isinstance(told, str)
            else None
            if told is None
            else channel.Channel(**told)
        )
        rate = link.get("error_rate", 0.02 if made is None else None)
        parameters = SessionParameters(
            key_length=int(link.get("bits", BITS)),
            variable_length=True,
            error_rate=None if rate is None else float(rate),
            channel=made,
            low_latency=True,  # fewer round trips; and not by what is installed at one end
        )
        planned = plan(parameters)
        return cls(parameters, planned, agree(parameters, planned))


@dataclass(frozen=True)
class Ended:
    """What an end knows of a session that is over: fields of its record, and the key if there is one."""

    found: Mapping[str, Any]
    key: bytes | None = field(repr=False)


def authentication(
    secret: bytes, *, link: str, session_id: str, nonces: tuple[bytes, bytes]
) -> AuthenticationKey:
    """Derive the authentication key of one session from the secret that both sites share.

    A nonce of each end is in it: a session that somebody makes an end repeat has another pad.
    """
    bits = tag_bits(DEFAULT_EPSILON_AUTH)
    hash_bytes, pad_bits = universal.key_size(bits), len(Tag) * bits
    made = HKDF(
        algorithm=hashes.SHA512(),
        length=hash_bytes + -(-pad_bits // 8),
        salt=b"".join(nonces),
        info=f"qkdplatform link authentication v1|{link}|{session_id}".encode(),
    ).derive(secret)
    pad = np.unpackbits(np.frombuffer(made[hash_bytes:], np.uint8), count=pad_bits)
    return AuthenticationKey(made[:hash_bytes], Pad(pad))


def as_alice(
    connection: "socket.socket",
    record: "AliceRecord",
    setting: Setting,
    key: AuthenticationKey,
    *,
    session_id: str,
) -> Ended | None:
    """Answer Bob until he hangs up; None where too little came to be judged.

    A key is Alice's once Bob confirmed that he has it.
    """
    began = time.perf_counter()
    alice = Alice(record, setting.agreement, key)
    lost: str | None = None
    try:
        serve(connection, alice)
    except ConnectionLostError as error:
        lost = str(error)
    except ProtocolError:
        pass  # she says why herself
    abort: tuple[AbortCode, str] | None = None
    if alice.secrets is None:
        if alice.evidence is not None and not alice.evidence.best_length(setting.agreement):
            abort = AbortCode.QBER_ABOVE_BOUND, "the error rate leaves no secret bit"
        elif alice.ended is not None and lost is None:
            abort = AbortCode.AUTHENTICATION_FAILED, alice.ended
        else:
            return None
    return _ended(
        setting,
        session_id,
        alice.evidence,
        clicks=record.bits.size,
        sifted=alice.sifted_length,
        corrected=None,
        bits=None if alice.secrets is None else alice.secrets.key,
        abort=abort,
        seconds=time.perf_counter() - began,
    )


def as_bob(
    connection: "socket.socket",
    record: "BobRecord",
    setting: Setting,
    key: AuthenticationKey,
    *,
    session_id: str,
) -> Ended:
    """Lead a session to its end.

    Raises:
        ConnectionLostError: Alice is gone; there is no key.
    """
    began = time.perf_counter()
    bob = Bob(record, setting.agreement, key, SocketChannel(connection), Randomness())
    try:
        abort = _led(bob, setting)
    except ConnectionLostError:
        raise
    except ProtocolError as error:
        abort = AbortCode.AUTHENTICATION_FAILED, str(error)
    state = bob.state
    return _ended(
        setting,
        session_id,
        state.evidence,
        clicks=record.bits.size,
        sifted=state.sifted_length,
        corrected=state.corrected,
        bits=state.secrets.key if state.secrets is not None and state.confirmed else None,
        abort=abort,
        seconds=time.perf_counter() - began,
    )


def _led(bob: Bob, setting: Setting) -> tuple[AbortCode, str] | None:
    """Take each step that there is; return why there is no key, or None."""
    bob.agree()
    bob.sift()
    if bob.state.sifted_length < 2:
        return AbortCode.NO_DETECTIONS, "fewer than two bits were sifted"
    evidence = bob.estimate()
    if not setting.plan.feasible:
        return AbortCode.INFEASIBLE, setting.plan.reason or "no key can be reached"
    if not evidence.best_length(setting.agreement):
        return AbortCode.QBER_ABOVE_BOUND, "the error rate leaves no secret bit"
    if not bob.reconcile().verified_frames.any():
        return AbortCode.VERIFICATION_FAILED, "errors remained after reconciliation"
    if bob.state.bound < setting.agreement.least_length:
        return AbortCode.KEY_LENGTH_NOT_REACHED, f"the bound leaves {bob.state.bound:,} bits, too few"
    bob.amplify()
    bob.confirm()
    return None


def _ended(
    setting: Setting,
    session_id: str,
    evidence: "Evidence | None",
    *,
    clicks: int,
    sifted: int,
    corrected: BasisCounts | None,
    bits: Any,
    abort: tuple[AbortCode, str] | None,
    seconds: float,
) -> Ended:
    compared = BasisCounts() if evidence is None else evidence.compared
    interval = (
        qber_interval(compared.errors, compared.total, confidence=setting.parameters.confidence)
        if compared.total
        else None
    )
    whole = None if bits is None else np.packbits(bits[: bits.size // 256 * 256]).tobytes()
    ledger: dict[str, Any] = {
        "aborted": None if abort is None else abort[0].value,
        "aborted_reason": None if abort is None else abort[1],
        "lengths": {
            "raw": setting.plan.pulses,
            "detected": clicks,
            "sifted": sifted,
            "sampled": compared.total,
            "kept": max(0, sifted - compared.total),
            "final": 0 if whole is None else 8 * len(whole),
        },
        "expected_qber": setting.plan.expected_qber,
        "link": link_of(setting.plan.channel),
        "decoys": [] if evidence is None else [asdict(one) for one in evidence.decoys],
        **({} if corrected is None else {"corrected": _counts(corrected)}),
    }
    found = {
        "session_id": session_id,
        "key_length": setting.parameters.key_length,
        "parameters": {"source": "other_site"},
        "expected_qber": setting.plan.expected_qber,
        "estimated_qber": compared.qber,
        "qber_low": interval.low if interval else 0.0,
        "qber_high": interval.high if interval else 1.0,
        "counts": _counts(compared),
        "ledger": ledger,
        "sifted_key_length": sifted,
        "corrected_key_length": 0 if corrected is None else corrected.total,
        "reason_code": None if abort is None else abort[0].value,
        "reason": None if abort is None else abort[1],
        "duration_ms": round(1000 * seconds, 3),
    }
    return Ended(found, whole)


def _counts(counts: BasisCounts) -> dict[str, int]:
    return asdict(counts)
