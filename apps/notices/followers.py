"""Domain events from the trail: to the bus, and to webhooks."""

import json
from collections.abc import Sequence

from django.conf import settings

from apps.audit.records import Entry
from apps.common import aws, clock
from apps.common.errors import Unavailable
from apps.following import places
from apps.following.records import Follower, Move
from apps.notices import services
from apps.notices.kinds import of_entry
from apps.notices.records import Notice

SOURCE = "qkdplatform"
TOGETHER = 10  # what one PutEvents takes


def take(entries: Sequence[Entry], moves: Sequence[Move]) -> None:
    """Tell what happened, then move on: told twice, an event has the same id."""
    notices = [notice for entry in entries if (notice := of_entry(entry)) is not None]
    if settings.EVENT_BUS:
        for start in range(0, len(notices), TOGETHER):
            _put(notices[start : start + TOGETHER])
    new = services.add(notices)
    places.move(moves)
    services.deliver_at_once(new)


def _put(notices: Sequence[Notice]) -> None:
    answer = aws.client("events").put_events(
        Entries=[
            {
                "Source": SOURCE,
                "DetailType": notice.type,
                "Detail": json.dumps(notice.as_document()),
                "EventBusName": settings.EVENT_BUS,
                "Time": clock.from_text(notice.time),
                **({"TraceHeader": trace.amazon} if (trace := notice.trace) is not None else {}),
            }
            for notice in notices
        ]
    )
    if answer["FailedEntryCount"]:  # those that were taken are told again: their ids are the same
        raise Unavailable("The bus did not take every event. They come again.")


FOLLOWERS = [Follower("notices", take, from_start=False)]
