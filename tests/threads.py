"""Many threads at once, their errors not lost."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def together(count: int, work: Callable[[], Any]) -> list[Any]:
    """``work`` in ``count`` threads that start at the same moment; what each returned or raised."""
    gate = threading.Barrier(count)

    def run() -> Any:
        gate.wait()
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - the caller looks at it
            return error

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(count)]]
