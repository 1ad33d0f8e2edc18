"""All tests. The few that failed among the others run once more, alone: a busy machine does not decide what lands.

    python -m tests.whole [arguments of pytest...]

What passes alone is named at the end, below how it failed: chance has a cause, in the test or in the platform. More
than MOST failures are none of chance.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

MOST = 3
LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")


def main(arguments: Sequence[str]) -> int:
    """Return the exit code of pytest: 0 where nothing failed twice."""
    code = _run("--cache-clear", *arguments)
    if code != pytest.ExitCode.TESTS_FAILED:
        return code
    failed = sorted(json.loads(LAST_FAILED.read_text()))
    if len(failed) > MOST:
        return code
    code = _run("--last-failed", "--last-failed-no-failures=none")
    if code == pytest.ExitCode.OK:
        print("\nFailed beside the others, passed alone. Above is how; find out why:", *failed, sep="\n  ")  # noqa: T201 - a program
    return code


def _run(*arguments: str) -> int:
    # Each worker, and each process that a test starts, would compile the same files again: seconds each
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.call([sys.executable, "-m", "pytest", *arguments], env=environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
