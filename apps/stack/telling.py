"""What the supervisor says."""

import contextlib
import sys


def say(text: str, *, error: bool = False) -> None:
    """To the terminal, if there still is one: its end must not keep the children from being ended."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr if error else sys.stdout, flush=True)
