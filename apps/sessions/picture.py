"""A session as a picture: where its bits went, its errors by basis, and how its rate compares with its channel's.

And a demonstration of BB84, photon by photon: run for whoever looks, apart from any session, so that it may be shown.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apps.sessions.records import Session

if TYPE_CHECKING:
    from qkd.channel import Channel

# The lengths of a session, each with what became of the bits that it lacks of the one before
FUNNEL = (
    ("raw", "Pulses sent by Alice", ""),
    ("detected", "Clicks at Bob's detectors", "lost in the fibre, or not detected"),
    ("sifted", "Sifted bits: both chose the same basis", "measured in the other basis, so worth nothing"),
    ("kept", "Left for the key", "compared publicly to estimate the error rate, then discarded"),
    ("corrected", "Corrected bits, equal on both sides", "discarded by reconciliation"),
    ("final", "Bits of the key", "removed by privacy amplification: what Eve may know of the others"),
)
BASES = {"rectilinear": "rect", "diagonal": "diag"}
CONFIDENCE = 0.99
EFFICIENCY = 1.16  # of error correction, as curves of published set-ups assume it
CURVE_POINTS = 60
LONGEST_KM = 400.0


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of the funnel: how many bits reached it, and what became of the rest."""

    name: str
    title: str
    bits: int
    lost: int
    why: str


def funnel(session: Session) -> list[Step]:
    """The stages of a session, each with every bit that was lost before it."""
    lengths: Mapping[str, Any] = session.ledger.get("lengths", {})
    found: list[Step] = []
    for name, title, why in FUNNEL:
        if name in lengths:
            bits = int(lengths[name])
            lost = max(0, found[-1].bits - bits) if found else 0
            found.append(Step(name, title, bits, lost, why if lost else ""))
    return found


@dataclass(frozen=True, slots=True)
class BasisErrors:
    """The errors found in one basis, with the interval that the true rate lies in."""

    basis: str
    compared: int
    errors: int
    rate: float
    low: float
    high: float


def errors_by_basis(session: Session) -> list[BasisErrors]:
    """The error rate of each basis of which bits were compared, with its exact interval."""
    from qkd.estimation import qber_interval  # noqa: PLC0415 - numpy is a fifth of a cold start

    found = []
    for name, short in BASES.items():
        compared, errors = int(session.counts[f"n_{short}"]), int(session.counts[f"errors_{short}"])
        if compared:
            interval = qber_interval(errors, compared, confidence=CONFIDENCE)
            found.append(BasisErrors(name, compared, errors, errors / compared, interval.low, interval.high))
    return found


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Secret bits per pulse over the distance: of the channel, and at most, and where the session lies."""

    distances: list[float]
    rates: list[float | None]  # None where there is no key
    bound: list[float | None]  # without repeaters
    session_km: float
    session_rate: float


def rate_curve(session: Session) -> RateCurve | None:
    """The curve of the session's channel with endless pulses; None where its channel has no distance."""
    from qkd.channel import Channel, preset  # noqa: PLC0415 - likewise
    from qkd.keyrate import at_distance, plob_bound  # noqa: PLC0415

    given = session.parameters.get("channel")
    if given is None:
        return None
    channel = preset(given) if isinstance(given, str) else Channel(**given)
    longest = min(LONGEST_KM, max(100.0, 2 * channel.distance_km))
    distances = [longest * number / CURVE_POINTS for number in range(CURVE_POINTS + 1)]
    rates = [_asymptotic(channel, distance) for distance in distances]
    bound = [plob_bound(at_distance(channel, km).fibre_transmittance) for km in distances]
    pulses = int(session.ledger.get("lengths", {}).get("raw", 0))
    return RateCurve(
        distances=distances,
        rates=[rate if rate > 0 else None for rate in rates],
        bound=[rate if rate < float("inf") else None for rate in bound],
        session_km=channel.distance_km,
        session_rate=int(session.final_key_length) / pulses if pulses else 0.0,
    )


def _asymptotic(channel: "Channel", distance_km: float) -> float:
    """Secret bits per pulse with endless pulses.

    Source: Shor & Preskill, PRL 85, 441 (2000) for single photons; else ``qkd.keyrate.decoy_asymptotic_rate``.
    """
    from qkd.finite_key.entropy import binary_entropy  # noqa: PLC0415 - likewise
    from qkd.keyrate import at_distance, decoy_asymptotic_rate  # noqa: PLC0415

    if channel.has_decoys:
        return float(
            decoy_asymptotic_rate(
                channel, distance_km, efficiency=EFFICIENCY, sifting=channel.sifted_fraction
            )
        )
    there = at_distance(channel, distance_km)
    error = min(0.5, there.error_rate())
    secret = 1 - (1 + EFFICIENCY) * float(binary_entropy(error))
    return float(there.sifted_fraction * there.gain * secret)


RECTILINEAR, DIAGONAL = "rectilinear", "diagonal"
ANGLES = {(RECTILINEAR, 0): 0, (RECTILINEAR, 1): 90, (DIAGONAL, 0): 45, (DIAGONAL, 1): 135}
PHOTONS = 24  # as many as fit a screen
NOISE = 0.03  # of the demonstration's channel


@dataclass(frozen=True, slots=True)
class Photon:
    """One photon of the demonstration, from Alice to what became of its bit."""

    alice_bit: int
    alice_basis: str
    angle: int
    eve_basis: str | None  # None: she let it pass
    eve_bit: int | None
    arriving_angle: int
    bob_basis: str
    bob_bit: int
    sifted: bool
    compared: bool
    error: bool


def demonstrate(seed: int, *, tapped: bool) -> list[Photon]:
    """Send photons as in the textbook: no loss, little noise, and on demand an Eve who measures each and resends it.

    Args:
        seed: of the demonstration; the same one shows the same photons again. No key ever comes from it.
        tapped: whether Eve is there.
    """
    world = random.Random(seed)  # noqa: S311 - shown to whoever looks, and used for nothing else
    photons = [_send(world, tapped=tapped) for _ in range(PHOTONS)]
    sifted = [number for number, photon in enumerate(photons) if photon[-1]]
    compared = set(world.sample(sifted, len(sifted) // 2))
    found = []
    for number, (bit, basis, eve_basis, eve_bit, arriving, bob_basis, bob_bit, same) in enumerate(photons):
        found.append(
            Photon(
                alice_bit=bit,
                alice_basis=basis,
                angle=ANGLES[basis, bit],
                eve_basis=eve_basis,
                eve_bit=eve_bit,
                arriving_angle=arriving,
                bob_basis=bob_basis,
                bob_bit=bob_bit,
                sifted=same,
                compared=number in compared,
                error=same and bob_bit != bit,
            )
        )
    return found


def _send(
    world: random.Random, *, tapped: bool
) -> tuple[int, str, str | None, int | None, int, str, int, bool]:
    bit, basis = world.randrange(2), world.choice((RECTILINEAR, DIAGONAL))
    eve_basis = world.choice((RECTILINEAR, DIAGONAL)) if tapped else None
    eve_bit: int | None = None
    flying_bit, flying_basis = bit, basis
    if eve_basis is not None:
        eve_bit = bit if eve_basis == basis else world.randrange(2)
        flying_bit, flying_basis = eve_bit, eve_basis
    bob_basis = world.choice((RECTILINEAR, DIAGONAL))
    bob_bit = flying_bit if bob_basis == flying_basis else world.randrange(2)
    if world.random() < NOISE:
        bob_bit = 1 - bob_bit
    arriving = ANGLES[flying_basis, flying_bit]
    return bit, basis, eve_basis, eve_bit, arriving, bob_basis, bob_bit, bob_basis == basis
