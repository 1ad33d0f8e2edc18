"""SQS, made durable: what changed in a queue is in the journal before any answer leaves.

Message ids and receipt handles are random and S3 puts its notifications straight into a queue, so not
the calls are logged but their effects: whole messages, the fields that a receive changes, and removals.
Each entry may be applied twice without harm.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

from ministack.services import s3, sqs

from apps.stack.embedded.journal import Entry, Journal

_CHANGING = ("receive_count", "first_receive_at", "receipt_handle", "visible_at")
_COUNTERS = "ApproximateNumberOf"  # attributes that ministack works out from the messages
LONGEST_DELAY = 900  # seconds that SQS may delay a message by
SET_SECONDS = 1.0  # beyond what clocks are corrected by while they run
Place = tuple[str, str, str]  # account, region, queue URL
Mark = tuple[Any, ...]


class DurableQueues:
    """Compares the queues with what the journal knows of them."""

    service = "sqs"

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._queues: dict[Place, str] = {}
        self._messages: dict[Place, dict[str, Mark]] = {}
        self._drift = _drift()
        self.generation = 0
        self.loaded = False

    def install(self) -> None:
        """Put the hooks in place; must precede ministack's loading of its snapshots."""
        self._get_state = sqs.get_state
        self._load_state = sqs.load_persisted_state
        sqs.get_state = lambda: None  # ministack then leaves the snapshot alone: `state` makes it
        sqs.load_persisted_state = self._load
        # One canonical address whatever the port: queues are kept by their URL and shown by the caller's Host.
        sqs.DEFAULT_PORT, sqs._CANONICAL_NETLOC = "4566", f"{sqs.DEFAULT_HOST}:4566"  # noqa: SLF001
        # In the request, not in a thread after it: an acknowledged upload has its event in the queue.
        s3._fire_s3_event_async = _notify  # noqa: SLF001

    def state(self, generation: int) -> dict[str, Any]:
        """The whole state, covering the journal up to a generation."""
        state: dict[str, Any] = self._get_state()
        return state | {"generation": generation}

    def replay(self, entry: Entry) -> None:
        """Apply a logged change again; another service's entries are passed over."""
        match entry:
            case ["queue", str(account), str(region), str(url), queue]:
                if queue is None:
                    sqs._queues.pop_scoped(account, region, url, None)  # noqa: SLF001
                else:
                    kept = sqs._queues.get_scoped(account, region, url) or {"messages": []}  # noqa: SLF001
                    sqs._queues.set_scoped(account, region, url, queue | {"messages": kept["messages"]})  # noqa: SLF001
            case ["messages", str(account), str(region), str(url), dict(put), dict(changed), list(gone)]:
                _apply(sqs._queues.get_scoped(account, region, url), put, changed, gone)  # noqa: SLF001

    def serve(self) -> None:
        """From now on ``record`` logs. What was being worked on when the process ended is free again."""
        sqs._queue_name_to_url.clear()  # noqa: SLF001
        sqs._rebuild_queue_name_index()  # noqa: SLF001
        now = time.time()
        for place, queue in _all_queues():
            for message in queue["messages"]:
                # One that was never received may wait for its delay, and no longer: the clock may have been set back
                longest = LONGEST_DELAY if message["receipt_handle"] is None else 0
                message["visible_at"] = min(message["visible_at"], now + longest)
            self._queues[place] = _fingerprint(queue)
            self._messages[place] = _marks(queue)

    def follow_clock(self) -> None:
        """Have messages that are hidden shown after as long as they were to be, also where the clock was set meanwhile."""
        drift = _drift()
        moved, self._drift = drift - self._drift, drift
        if abs(moved) < SET_SECONDS:
            return
        for _, queue in _all_queues():
            for message in queue["messages"]:
                message["visible_at"] += moved

    def record(self) -> None:
        """Log what differs from the last time."""
        places = set()
        for place, queue in _all_queues():
            places.add(place)
            self._record_queue(place, queue)
            self._record_messages(place, queue)
        for place in self._queues.keys() - places:
            del self._queues[place], self._messages[place]
            self._journal.append(["queue", *place, None])

    def _record_queue(self, place: Place, queue: dict[str, Any]) -> None:
        fingerprint = _fingerprint(queue)
        if self._queues.get(place) != fingerprint:
            self._queues[place] = fingerprint
            self._journal.append(["queue", *place, json.loads(fingerprint)])

    def _record_messages(self, place: Place, queue: dict[str, Any]) -> None:
        known, marks = self._messages.get(place, {}), _marks(queue)
        if known == marks:
            return
        put = {m["id"]: m for m in queue["messages"] if m["id"] not in known}
        changed = {i: mark for i, mark in marks.items() if i in known and known[i] != mark}
        self._messages[place] = marks
        self._journal.append(["messages", *place, put, changed, list(known.keys() - marks.keys())])

    def _load(self, data: dict[str, Any]) -> None:
        self._load_state(data)
        self.generation = data["generation"]
        self.loaded = True


def _drift() -> float:
    """By how much the clock that people set is ahead of the one that nobody sets."""
    return time.time() - time.monotonic()


def _notify(bucket: str, key: str, event: str, **details: Any) -> None:
    if bucket in s3._bucket_notifications:  # noqa: SLF001
        sequencer = s3._next_event_sequencer(event)  # noqa: SLF001
        s3._fire_s3_event(bucket, key, event, sequencer=sequencer, **details)  # noqa: SLF001


def _all_queues() -> Iterator[tuple[Place, dict[str, Any]]]:
    items: list[tuple[Place, dict[str, Any]]] = sqs._queues.all_items()  # noqa: SLF001
    return iter(items)


def _apply(
    queue: dict[str, Any], put: dict[str, Any], changed: dict[str, list[Any]], gone: list[str]
) -> None:
    messages = {m["id"]: m for m in queue["messages"]} | put
    for identifier, values in changed.items():
        if identifier in messages:  # a newer snapshot may already lack it
            messages[identifier].update(zip(_CHANGING, values, strict=True))
    for identifier in gone:
        messages.pop(identifier, None)
    queue["messages"] = list(messages.values())


def _marks(queue: dict[str, Any]) -> dict[str, Mark]:
    return {m["id"]: tuple(m.get(field) for field in _CHANGING) for m in queue["messages"]}


def _fingerprint(queue: dict[str, Any]) -> str:
    attributes = {k: v for k, v in queue["attributes"].items() if not k.startswith(_COUNTERS)}
    rest = {k: v for k, v in queue.items() if k != "messages"}
    return json.dumps(rest | {"attributes": attributes}, sort_keys=True)
