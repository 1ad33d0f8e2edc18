"""What putting several transactions into one move of a head could gain: those of one process that wait for a chain, counted.

    python -m benchmarks.grouping [seconds]

Only threads of one process could be put together. Each takes a chain that no other thread is at; where there is none it
waits, and would then be one more in the next move. So the share that waits is what could be put together, and chains for
each thread give what that could reach. The database is that of ``benchmarks.conflicts``: 20 ms a transaction, assumed.
"""

import os
import sys
import threading
import time
from collections import Counter
from unittest import mock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from apps.audit import writing
from apps.audit.records import Actor, ActorKind
from apps.audit.services import record
from apps.files.trail import FileEvent
from benchmarks.conflicts import SECONDS, SLOWER, functions
from benchmarks.report import load, machine, table

CHAINS, THREADS, ENOUGH = 16, (1, 8, 16, 32), 64


class Watched:
    """The lock of a chain, which counts who has to wait for it."""

    def __init__(self, counts: Counter[str]) -> None:
        self._lock, self._counts = threading.Lock(), counts

    def acquire(self, *, blocking: bool = True) -> bool:
        """Take the lock; a thread that waits for it finds no other chain free."""
        self._counts["waits"] += blocking
        return self._lock.acquire(blocking=blocking)

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()


def measured(chains: int, threads: int, seconds: float) -> tuple[float, float]:
    """Have the threads of one process record entries without a pause: the share that waited, and entries a second."""
    counts: Counter[str] = Counter()
    with functions(chains, 1) as database:
        view = writing.Chains()
        view.locks = {name: Watched(counts) for name in view.names}  # type: ignore[misc]
        with mock.patch.object(writing, "known_chains", return_value=view):
            until = time.monotonic() + seconds

            def work(number: int) -> None:
                actor = Actor(ActorKind.SERVICE, f"{number:016x}", source_ip="192.0.2.1")
                while time.monotonic() < until:
                    record(actor, FileEvent.READ, file_id="4a" * 18, name="report.pdf", bytes=1)

            workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
    done = database.counts["done"]
    return counts["waits"] / done, done / seconds * SLOWER


def main() -> None:
    """Print what waits, and what chains enough for all give."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    print(f"{machine()}; {load()}")
    measured(CHAINS, 2, 1.0)
    rows = []
    for threads in THREADS:
        waits, rate = measured(CHAINS, threads, seconds)
        _, most = measured(ENOUGH, threads, seconds)
        rows.append((threads, f"{waits:.0%}", f"{rate:,.0f}/s", f"{most:,.0f}/s"))
    header = ("threads of one process", "wait for a chain", f"entries, {CHAINS} chains", f"{ENOUGH} chains")
    table(f"Transactions that could share a move of a head ({SECONDS * 1000:.0f} ms each)", header, rows)


if __name__ == "__main__":
    main()
