"""The commands of ``python -m qkd``: each takes its options and returns a report, as text and as JSON."""

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from qkd import attacks, channel, keyrate, plots, protocols, session, speed
from qkd.records import SessionParameters
from qkd.results import SessionResult

EXIT_NO_KEY = 3
"""Exit status of a session that gives no key; 2 is a wrong command line."""


@dataclass(frozen=True)
class Report:
    """What a command found.

    Attributes:
        text: for people.
        document: for machines, plain types.
        status: of the process.
    """

    text: str
    document: object
    status: int = 0


Command = Callable[[argparse.Namespace], Report]
Item = TypeVar("Item")


def progress(items: Sequence[Item], label: str) -> Iterator[Item]:
    """Yield the items, with a progress bar on standard error if it is a terminal."""
    watching = sys.stderr.isatty()
    for done, item in enumerate(items):
        if watching:
            filled = 30 * done // len(items)
            sys.stderr.write(f"\r{label} [{'#' * filled}{'.' * (30 - filled)}] {done}/{len(items)}")
            sys.stderr.flush()
        yield item
    if watching:
        sys.stderr.write("\r\x1b[K")


def parameters_of(options: argparse.Namespace, **changes: object) -> SessionParameters:
    """Return what the options ask of a session."""
    link = channel.preset(options.channel) if options.channel else None
    if options.distance is not None:
        if link is None:
            raise ValueError("distance needs a channel; add --channel")
        link = replace(link, distance_km=options.distance)
    given: dict[str, object] = {
        "key_length": options.key_length,
        "error_rate": None if link else options.error_rate,
        "channel": link,
        "optimise": options.optimise,
    }
    if "attack" in options:
        given |= {
            "attack": attack_of(options),
            "seed": options.seed,
            "low_latency": options.low_latency,
            "variable_length": options.variable_length,
            "kernel": options.kernel,
        }
    return SessionParameters(**(given | changes))  # type: ignore[arg-type] # they check themselves


def attack_of(options: argparse.Namespace) -> attacks.Attack:
    """Return the eavesdropper that the options name."""
    return attacks.attack(options.attack, fraction=options.fraction, blocking=options.blocking)


def run_session(options: argparse.Namespace) -> Report:
    """Run one session."""
    result = session.run(parameters_of(options))
    if options.plot:
        plots.draw_bits(options.plot, result.lengths())
    status = 0 if result.aborted is None else EXIT_NO_KEY
    return Report(_summary(result), result.ledger(), status)


def _summary(result: SessionResult) -> str:
    outcome = f"no key: {result.aborted}" if result.aborted else f"key of {result.final_length:,} bits"
    lines = [outcome + ("" if result.secret else " (seeded: not secret)")]
    lines += [f"  {name:<15}{count:>15,}" for name, count in result.lengths().items()]
    if result.qber_interval is not None:
        low, high = result.qber_interval.low, result.qber_interval.high
        lines.append(f"  QBER {result.qber:.2%} ({low:.2%} to {high:.2%} at {result.confidence:.0%})")
    lines.append(
        f"  {result.round_trips:,} round trips, {result.traffic_bits:,} bits on the classical channel"
    )
    if result.attack["kind"] != "none":
        share = result.eve_information_bits / max(1, result.sifted_length)
        lines.append(
            f"  Eve knows {result.eve_known_bits:,} sifted bits for certain, {share:.3f} bit of each on average"
        )
    lines.append(f"  {result.duration_seconds * 1000:.0f} ms")
    return "\n".join(lines)


def plan_session(options: argparse.Namespace) -> Report:
    """Plan a session and say what its key takes."""
    if not (math.isfinite(options.pulse_rate) and options.pulse_rate > 0):
        raise ValueError("pulse-rate must be above 0 Hz")
    planned = session.plan(parameters_of(options))
    seconds = planned.seconds(options.pulse_rate)
    document = asdict(planned) | {"seconds": seconds, "pulse_rate_hz": options.pulse_rate}
    if not planned.feasible:
        return Report(str(planned.reason), document, EXIT_NO_KEY)
    link = planned.channel
    lines = [
        f"{planned.pulses:,} pulses: {seconds:,.3g} s at {options.pulse_rate:g} Hz",
        f"  sifted bits expected {planned.expected_sifted:,}, QBER expected {planned.expected_qber:.2%}",
        f"  rectilinear basis with probability {link.rectilinear_probability:.3f}",
    ]
    if link.has_decoys:
        pairs = zip(link.intensities, link.intensity_probabilities, strict=True)
        shown = ", ".join(f"{mu:.4g} ({chance:.1%})" for mu, chance in pairs)
        lines.append(f"  intensities {shown}")
    return Report("\n".join(lines), document)


def _ma2005(distances: Sequence[float]) -> dict[str, list[float]]:
    link = channel.preset("gys2005")
    return {
        "infinite decoys": [keyrate.decoy_asymptotic_rate(link, km, signal=0.48) for km in distances],
        "vacuum and weak decoy": [keyrate.vacuum_weak_rate(link, km) for km in distances],
        "PLOB": [keyrate.plob_bound(keyrate.at_distance(link, km).transmittance) for km in distances],
    }


def _lim2014(distances: Sequence[float]) -> dict[str, list[float]]:
    link = channel.preset("lim2014")
    curves: dict[str, list[float]] = {f"block of 10^{exponent}": [] for exponent in range(4, 10)}
    for km in progress(distances, "km"):
        for exponent in range(4, 10):
            found = keyrate.lim2014_rate(link, km, block_bits=10**exponent)
            curves[f"block of 10^{exponent}"].append(found.rate)
    limit = [keyrate.plob_bound(keyrate.at_distance(link, km).transmittance) for km in distances]
    return curves | {"PLOB": limit}


def _protocols(distances: Sequence[float]) -> dict[str, list[float]]:
    link = channel.preset("lim2014")
    rates = {
        "single photons": protocols.single_photon_rate,
        "infinite decoys and pulses (Ma 2005)": protocols.asymptotic_rate,
        "three intensities": protocols.three_intensity_rate,
        "three intensities, published tails": protocols.published_rate,
        "one decoy": protocols.one_decoy_rate,
        "entangled pairs": protocols.entangled_rate,
    }
    curves: dict[str, list[float]] = {name: [] for name in rates}
    for km in progress(distances, "km"):
        for name, rate in rates.items():
            curves[name].append(rate(link, km, block_bits=PROTOCOLS_BLOCK_BITS))
    limit = [keyrate.plob_bound(keyrate.at_distance(link, km).transmittance) for km in distances]
    return curves | {"PLOB": limit}


PROTOCOLS_BLOCK_BITS = 10**6
"""Sifted bits of the key basis in the comparison of protocols."""

FIGURES: dict[str, tuple[Callable[[Sequence[float]], dict[str, list[float]]], float]] = {
    "ma2005": (_ma2005, 150.0),
    "lim2014": (_lim2014, 200.0),
    "protocols": (_protocols, 250.0),
}
"""Figures that ``rate`` draws: their curves, and their longest distance in km."""


def rate_curves(options: argparse.Namespace) -> Report:
    """Compute a published figure, with the limit of all protocols beside it."""
    if not 0.5 <= options.step <= 100:
        raise ValueError("step must be a number in [0.5, 100] km")
    curves, longest = FIGURES[options.figure]
    distances = [options.step * index for index in range(int(longest / options.step) + 1)]
    found = {name: [max(0.0, value) for value in values] for name, values in curves(distances).items()}
    if options.plot:
        plots.draw_rates(options.plot, distances, found)
    lines = ["      km  " + "".join(f"{name:>23}" for name in found)]
    for index, km in enumerate(distances):
        lines.append(f"{km:8.1f}  " + "".join(f"{values[index]:>23.3e}" for values in found.values()))
    document = {"figure": options.figure, "distances_km": distances, "rates": found}
    return Report("\n".join(lines), document)


def bench(options: argparse.Namespace) -> Report:
    """Measure the speed of this machine."""
    rows = [speed.measure(case) for case in _with_progress(speed.cases(quick=options.quick))]
    lines = [f"{row['what']:<44} {row['value']:>12} {row['unit']}" for row in rows]
    return Report("\n".join(lines), rows)


def _with_progress(cases: Iterable[speed.Case]) -> Iterator[speed.Case]:
    listed = list(cases)
    for index in progress(range(len(listed)), "bench"):
        yield listed[int(index)]
