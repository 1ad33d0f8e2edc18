"""``python -m tests.torture.supervised``: ``make run`` on the embedded AWS with faults, and with a clock that is moved.

TORTURE_PREFIX is what stands before each command, as JSON.
"""

import json
import os
import sys

from apps.stack import run, supervisor
from apps.stack.configuration import ROOT, Configuration, commands

FAULTY_AWS = "tests/torture/faulty_aws.py"


def faulty(configuration: Configuration) -> dict[str, list[str]]:
    """The programs of the platform, the embedded AWS with its faults among them."""
    made = commands(configuration)
    # As a program: its environment lacks what tests import
    made["aws"] = [made["aws"][0], "-P", str(ROOT / FAULTY_AWS)]
    prefix = json.loads(os.environ.get("TORTURE_PREFIX", "[]"))
    return {name: [*prefix, *command] for name, command in made.items()}


if __name__ == "__main__":
    supervisor.commands = faulty  # type: ignore[attr-defined]
    sys.exit(run.main())
