"""The functions that ``zappa_settings.json`` names; what they run, each app declares in its ``schedules.py``."""

from collections.abc import Callable

from apps.common.schedules import Schedule, run


def sweep() -> None:
    """Finish what a lost event left, and remove what nobody needs."""
    run(Schedule.SWEEP)


def refill() -> None:
    """Keep the pools and the stock above their low-water marks."""
    run(Schedule.REFILL)


def rotate() -> None:
    """Take pool keys out of use that are too old (C5)."""
    run(Schedule.ROTATE)


SCHEDULES: dict[str, Callable[[], None]] = {"sweep": sweep, "refill": refill, "rotate": rotate}
