"""``python -m benchmarks [sessions] [engine] [packages] [overlap] [whole]``: all parts, or those named."""

import subprocess
import sys

from benchmarks import engine, packages, sessions, whole
from benchmarks.report import load, machine


def overlap() -> None:
    """In a process of its own: see there."""
    subprocess.run([sys.executable, "-m", "benchmarks.overlap"], cwd=packages.ROOT, check=True)


PARTS = {
    "sessions": sessions.main,
    "engine": engine.main,
    "packages": packages.main,
    "overlap": overlap,
    "whole": whole.main,
}


def main() -> None:
    """Run the parts in order."""
    print(machine())
    for name in sys.argv[1:] or PARTS:
        print(f"\n## {name} ({load()})", flush=True)
        PARTS[name]()


if __name__ == "__main__":
    main()
