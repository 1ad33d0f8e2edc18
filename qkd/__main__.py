"""Command line: ``python -m qkd run|plan|rate|attack|bench``."""

import argparse
import json
import sys
from collections.abc import Sequence

from qkd import attacks, channel, cli, cli_attack
from qkd.plots import PlotUnavailable
from qkd.vocabulary import DEFAULT_KEY_LENGTH

EXIT_NO_KEY = cli.EXIT_NO_KEY


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status. Keys are discarded: only figures are written."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        report = options.command(options)
    except (ValueError, PlotUnavailable) as error:
        parser.error(str(error))
    text = json.dumps(report.document, indent=2) if options.json else report.text
    sys.stdout.write(text + "\n")
    return int(report.status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m qkd", description="Simulate BB84 sessions down to the single photon."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    _link(_add(commands, "run", cli.run_session, "run one session and account for every bit"), attack=True)
    plan = _add(
        commands, "plan", cli.plan_session, "plan a session: pulses, basis bias and intensities for a key"
    )
    _link(plan, attack=False)
    plan.add_argument(
        "--pulse-rate",
        type=float,
        default=1e9,
        help="in Hz; used to estimate the duration (default: %(default)g)",
    )
    rate = _add(
        commands, "rate", cli.rate_curves, "compute secret bits per pulse over distance, with the PLOB bound"
    )
    rate.add_argument(
        "--figure",
        choices=tuple(cli.FIGURES),
        default="ma2005",
        help="published figure to redraw, or the protocols side by side (default: %(default)s)",
    )
    rate.add_argument("--step", type=float, default=10.0, help="km between points (default: %(default)g)")
    attack = _add(
        commands,
        "attack",
        cli_attack.attack,
        "sweep an attack from none to all pulses: QBER and Eve's information",
    )
    _link(attack, attack=True)
    attack.add_argument(
        "--points", type=int, default=11, help="number of fractions from 0 to 1 (default: %(default)s)"
    )
    attack.add_argument(
        "--power",
        action="store_true",
        help="how often the judge finds each eavesdropper at each strength, on four links",
    )
    attack.add_argument(
        "--roc",
        action="store_true",
        help="how often honest sessions and a few eavesdroppers are found at each false-alarm level, on four links",
    )
    attack.add_argument(
        "--draws",
        type=int,
        default=200,
        help="sessions judged for each with --power and --roc (default: %(default)s)",
    )
    bench = _add(commands, "bench", cli.bench, "measure the speed of this machine on one core")
    bench.add_argument(
        "--quick", action="store_true", help="use small sizes: checks that it runs, measures nothing"
    )
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: cli.Command,
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=command)
    parser.add_argument("--json", action="store_true", help="print JSON")
    if name in {"run", "rate", "attack"}:
        parser.add_argument(
            "--plot", metavar="FILE", help="also draw the result (png, svg or pdf); needs matplotlib"
        )
    return parser


def _link(command: argparse.ArgumentParser, *, attack: bool) -> None:
    command.add_argument(
        "--key-length",
        type=int,
        default=DEFAULT_KEY_LENGTH,
        help="bits of the final key (default: %(default)s)",
    )
    link = command.add_mutually_exclusive_group()
    link.add_argument(
        "--error-rate",
        type=float,
        default=0.02,
        help="error rate of a lossless channel (default: %(default)s)",
    )
    link.add_argument("--channel", help=f"a preset link: {', '.join(channel.PRESETS)}")
    command.add_argument(
        "--distance", type=float, metavar="KM", help="fibre length, instead of the preset's own"
    )
    command.add_argument(
        "--optimise", action="store_true", help="let the planner choose basis bias and intensities"
    )
    if attack:
        _attack(command)


def _attack(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--attack",
        default="none",
        help=f"one of {', '.join(attacks.KINDS)}, or several joined by +, each with its fraction: intercept-resend:0.1+beam-splitting",
    )
    command.add_argument("--fraction", type=float, help="fraction of the pulses attacked, 0 to 1")
    command.add_argument(
        "--no-blocking",
        dest="blocking",
        action="store_const",
        const=False,
        help="photon-number splitting lets single photons pass",
    )
    command.add_argument("--seed", type=int, help="make the run reproducible; its key is then not secret")
    command.add_argument(
        "--low-latency",
        action=argparse.BooleanOptionalAction,
        help="reconcile with fewer round trips and a few more parities (default: with numpy)",
    )
    command.add_argument(
        "--all",
        dest="variable_length",
        action="store_true",
        help="take all secret bits that the bound leaves, not only --key-length",
    )
    command.add_argument(
        "--kernel", default="auto", help="reconciliation kernel: auto, numpy or numba (default: %(default)s)"
    )


if __name__ == "__main__":
    sys.exit(main())
