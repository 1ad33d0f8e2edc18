"""Starts a program that ends when its parent does: ``python tether.py <parent's pid> <program> [arguments]``.

Linux keeps the death signal over the exec. Elsewhere the program starts without it, and the next
``make run`` ends what is left. Imports as little as it can: it runs before each child.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Let this process end when its parent does, where the system can."""
    if sys.platform == "linux":
        # SIGKILL: nothing a hung child does can outlive it. What it acknowledged is on the disk.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the line above


def main() -> None:
    end_with(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the program that the supervisor names


if __name__ == "__main__":
    main()
