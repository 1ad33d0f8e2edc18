"""Command line: ``python -m qkd run``."""

import argparse
import json
import sys
from collections.abc import Sequence

from qkd import attacks, channel
from qkd.records import DEFAULT_KEY_LENGTH, SessionParameters, SessionResult
from qkd.session import run

EXIT_NO_KEY = 3
"""The session ran and gave no key; 2 is a wrong command line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status. Keys are made and forgotten: only figures are written."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        parameters = SessionParameters(
            key_length=options.key_length,
            error_rate=None if options.channel else options.error_rate,
            channel=channel.preset(options.channel) if options.channel else None,
            attack=attacks.attack(options.attack, fraction=options.fraction),
            seed=options.seed,
        )
    except ValueError as error:
        parser.error(str(error))
    result = run(parameters)
    text = json.dumps(result.ledger(), indent=2) if options.json else _summary(result)
    sys.stdout.write(text + "\n")
    return 0 if result.aborted is None else EXIT_NO_KEY


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m qkd", description="BB84 sessions, simulated to the photon."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("run", help="run one session and say where the bits went")
    command.add_argument(
        "--key-length", type=int, default=DEFAULT_KEY_LENGTH, help="bits wanted (%(default)s)"
    )
    link = command.add_mutually_exclusive_group()
    link.add_argument("--error-rate", type=float, default=0.02, help="of a lossless channel (%(default)s)")
    link.add_argument("--channel", help=f"a preset: {', '.join(channel.PRESETS)}")
    command.add_argument("--attack", default="none", help=f"one of {', '.join(attacks.KINDS)}")
    command.add_argument("--fraction", type=float, help="of the photons attacked, 0 to 1")
    command.add_argument("--seed", type=int, help="reproducible, and therefore not secret")
    command.add_argument("--json", action="store_true", help="for machines")
    return parser


def _summary(result: SessionResult) -> str:
    outcome = f"no key: {result.aborted}" if result.aborted else f"key of {result.final_length:,} bits"
    lines = [outcome + ("" if result.secret else " (seeded: not secret)")]
    lines += [f"  {name:<13}{count:>15,}" for name, count in result.lengths().items()]
    if result.qber_interval is not None:
        low, high = result.qber_interval.low, result.qber_interval.high
        lines.append(f"  QBER {result.qber:.2%} ({low:.2%} to {high:.2%} at {result.confidence:.0%})")
    lines.append(f"  {result.duration_seconds * 1000:.0f} ms")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
