"""The stock by link, as a metric."""

from collections.abc import Iterator

from apps.links.services import STOCK as STOCK_LINK
from apps.metrics.catalog import STOCK
from apps.metrics.measuring import Reading
from apps.sessions import stock


def _stock() -> Iterator[Reading]:
    found = {STOCK_LINK: 0, **stock.stock().by_link}  # an empty stock is told too
    for link, count in found.items():
        yield Reading(STOCK, count, {"link": link})


GAUGES = [_stock]
