"""``python -m qkd attack``: an eavesdropper from none to all pulses, and how often the judge finds her."""

import argparse
from dataclasses import asdict
from typing import Any

import numpy as np

from qkd import attacks, channel, plots, session
from qkd.agreement import Agreement
from qkd.cli import Report, attack_of, parameters_of, progress
from qkd.detection.power import Scores, power, scores
from qkd.records import SessionParameters

POWER_CHANNELS = ("lab", "metro_50km", "gys2005", "lim2014")
POWER_FRACTIONS = (0.05, 0.1, 0.2, 0.5, 1.0)


def attack_power(options: argparse.Namespace) -> Report:
    """Judge drawn sessions of every eavesdropper and strength: how often is she found?"""
    kinds = (
        [attack_of(options)] if options.attack != "none" else [attacks.attack(kind) for kind in attacks.KINDS]
    )
    listening = [kind.on_share(share) for kind in kinds if kind.parts for share in POWER_FRACTIONS]
    cells = [
        (name, eavesdropper) for name in _links(options) for eavesdropper in (attacks.NoAttack(), *listening)
    ]
    rows = [_power_row(options, name, eavesdropper) for name, eavesdropper in progress(cells, "cell")]
    if options.plot:
        plots.draw_power(options.plot, rows)
    lines = [f"{'channel':<12}{'eavesdropper':<40}{'convicted':>10}{'at 1e-3':>10}{'flagged':>10}"]
    lines += [
        f"{row['channel']:<12}{row['attack']:<40}{row['convicted']:>10.2%}{row['convicted_early']:>10.2%}"
        f"{row['flagged']:>10.2%}"
        for row in rows
    ]
    return Report("\n".join(lines), {"draws": options.draws, "rows": rows})


def _power_row(options: argparse.Namespace, name: str, eavesdropper: attacks.Attack) -> dict[str, Any]:
    planned, agreed = _planned(options, name)
    rng = np.random.default_rng(options.seed)
    found = power(planned, agreed, eavesdropper, draws=options.draws, rng=rng)
    shown = _shown(eavesdropper)
    kind = shown.partition(":")[0]
    share = eavesdropper.parts[0].fraction if eavesdropper.parts else 0.0
    return {"channel": name, "attack": shown, "kind": kind, "fraction": share} | asdict(found)


def _planned(options: argparse.Namespace, name: str) -> tuple[session.Plan, Agreement]:
    parameters = SessionParameters(channel=channel.preset(name), key_length=options.key_length)
    planned = session.plan(parameters)
    return planned, session.agree(parameters, planned)


def _shown(eavesdropper: attacks.Attack) -> str:
    return "none" if isinstance(eavesdropper, attacks.NoAttack) else str(eavesdropper)


def _links(options: argparse.Namespace) -> list[str]:
    return [options.channel] if options.channel else list(POWER_CHANNELS)


ROC_KINDS = ("intercept_resend", "photon_number_splitting", "detector_blinding")
ROC_FRACTION = 0.05
LEVELS = (0.1, 0.01, 1e-3, 1e-4, 1e-6)
"""False-alarm levels that are told; a figure has more of them."""

KINDS_OF_TESTS = ("convicting", "others")


def attack_levels(options: argparse.Namespace) -> Report:
    """Judge drawn honest sessions and some under attack: how often are they found at each false-alarm level?"""
    usual = [attacks.attack(kind).on_share(ROC_FRACTION) for kind in ROC_KINDS]
    listening = usual if options.attack == "none" else [attack_of(options)]
    cells = [(name, eve) for name in _links(options) for eve in (attacks.NoAttack(), *listening)]
    drawn = [(name, _shown(eve), _scores(options, name, eve)) for name, eve in progress(cells, "cell")]
    if options.plot:
        plots.draw_levels(options.plot, drawn)
    rows = [
        {"channel": name, "attack": shown, "tests": tests}
        | {"found": {f"{level:g}": found.below(level, tests) for level in LEVELS}}
        for name, shown, found in drawn
        for tests in KINDS_OF_TESTS
    ]
    lines = [
        f"{'channel':<12}{'eavesdropper':<32}{'tests':<12}" + "".join(f"{level:>10g}" for level in LEVELS)
    ]
    for name, shown, found in drawn:
        for tests in KINDS_OF_TESTS:
            shares = "".join(f"{found.below(level, tests):>10.3%}" for level in LEVELS)
            lines.append(f"{name:<12}{shown:<32}{tests:<12}{shares}")
    return Report("\n".join(lines), {"draws": options.draws, "rows": rows})


def _scores(options: argparse.Namespace, name: str, eavesdropper: attacks.Attack) -> Scores:
    planned, agreed = _planned(options, name)
    return scores(planned, agreed, eavesdropper, draws=options.draws, rng=np.random.default_rng(options.seed))


def attack(options: argparse.Namespace) -> Report:
    """Do what the options ask: levels, power, or a sweep of whole sessions."""
    if not 1 <= options.draws <= 10**7:
        raise ValueError("draws must be an integer in [1, 10,000,000]")
    if options.roc:
        return attack_levels(options)
    return attack_power(options) if options.power else attack_sweep(options)


def attack_sweep(options: argparse.Namespace) -> Report:
    """Run sessions under growing fractions of an attack."""
    if not 2 <= options.points <= 1001:
        raise ValueError("points must be an integer in [2, 1001]")
    if options.attack == "none":
        options.attack = "intercept_resend"
    whole = attack_of(options)
    fractions = [index / (options.points - 1) for index in range(options.points)]
    rows = [_attack_row(options, whole, fraction) for fraction in progress(fractions, "fraction")]
    if options.plot:
        plots.draw_attack(options.plot, options.attack, rows)
    lines = ["fraction   QBER  expected  Eve's bit per bit  expected  secret bits  outcome"]
    lines += [
        f"{row['fraction']:8.3f} {row['qber']:6.2%} {row['expected_qber']:9.2%} {row['eve_information']:18.3f} "
        f"{row['expected_eve_information']:9.3f} {row['secret_bits']:12,}  {row['aborted'] or 'key'}"
        for row in rows
    ]
    return Report("\n".join(lines), {"attack": options.attack, "rows": rows})


def _attack_row(options: argparse.Namespace, whole: attacks.Attack, fraction: float) -> dict[str, Any]:
    """Run a session under a share of an attack and set theory beside it."""
    eavesdropper = whole.on_share(fraction)
    parameters = parameters_of(options, attack=eavesdropper)
    result = session.run(parameters)
    theory = attacks.expectation(result.plan.channel, eavesdropper)
    return {
        "fraction": fraction,
        "qber": result.qber,
        "expected_qber": theory.qber,
        "eve_information": result.eve_information_bits / max(1, result.sifted_length),
        "expected_eve_information": theory.information,
        "secret_bits": result.bound_length,
        "final": result.final_length,
        "aborted": None if result.aborted is None else result.aborted.code.value,
    }
