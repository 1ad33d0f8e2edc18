"""``python -m benchmarks [sessions] [engine] [packages] [whole]``: all parts, or those named."""

import sys

from benchmarks import engine, packages, sessions, whole
from benchmarks.report import machine

PARTS = {"sessions": sessions.main, "engine": engine.main, "packages": packages.main, "whole": whole.main}


def main() -> None:
    """Run the parts in order."""
    print(machine())
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
