"""The functions that ``zappa_settings.json`` names; what they run, each app declares in its ``schedules.py``."""

from collections.abc import Callable

from apps.common.scheduling import Schedule, run


def sweep() -> None:
    """Finish what a lost event left, and remove what nobody needs."""
    run(Schedule.SWEEP)


def refill() -> None:
    """Keep the pools and the stock above their low-water marks."""
    run(Schedule.REFILL)


def rotate() -> None:
    """Rotate pool keys that are too old or used too often (C5)."""
    run(Schedule.ROTATE)


SCHEDULES: dict[str, Callable[[], None]] = {"sweep": sweep, "refill": refill, "rotate": rotate}
