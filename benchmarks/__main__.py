"""``python -m benchmarks [sessions] [bounds] [latency] [engine] [packages] [digests] [overlap] [trail] [whole] [embedded]``: all parts, or those named."""

import subprocess
import sys

from benchmarks import bounds, digests, embedded, engine, latency, packages, sessions, trail, whole
from benchmarks.report import load, machine


def overlap() -> None:
    """In a process of its own: see there."""
    subprocess.run([sys.executable, "-m", "benchmarks.overlap"], cwd=packages.ROOT, check=True)


PARTS = {
    "sessions": sessions.main,
    "bounds": bounds.main,
    "latency": latency.main,
    "engine": engine.main,
    "packages": packages.main,
    "digests": digests.main,
    "overlap": overlap,
    "trail": trail.main,
    "whole": whole.main,
    "embedded": embedded.main,
}


def main() -> None:
    """Run the parts in order."""
    print(machine())
    for name in sys.argv[1:] or PARTS:
        print(f"\n## {name} ({load()})", flush=True)
        PARTS[name]()


if __name__ == "__main__":
    main()
