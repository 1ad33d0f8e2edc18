"""Alerts of what the trail tells."""

from collections.abc import Sequence

from apps.alerts import services
from apps.alerts.conditions import of_entry
from apps.audit.records import Entry
from apps.common import tracing
from apps.following import places
from apps.following.records import Follower, Move


def take(entries: Sequence[Entry], moves: Sequence[Move]) -> None:
    """Raise what the entries tell, then move on: raised twice, it is one alert."""
    for entry in entries:
        noticed = of_entry(entry)
        if noticed is not None:
            with tracing.entered(tracing.of_detail(entry.detail)):
                services.raise_alert(noticed)
    places.move(moves)


FOLLOWERS = [Follower("alerts", take, from_start=False)]
