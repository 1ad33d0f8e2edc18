"""What a report says in sums: collected a day at a time, so that a job may be interrupted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.audit.records import Entry, Outcome

MOST_NAMED = 200  # actors, and refusals by actor and event; the rest is counted together
OTHERS = "others"
ROTATIONS = (
    "pool_key.rotation_queued",
    "rotation.done",
    "pool_key.expired",
    "pool_key.revoked",
    "pool_key.destroyed",
)


@dataclass(slots=True)
class Sums:
    """Counts of entries by what they are about."""

    entries: int = 0
    events: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    actors: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    verifications: list[dict[str, Any]] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Count an entry."""
        self.entries += 1
        self.events[entry.event] += 1
        self.outcomes[entry.outcome] += 1
        self.days[entry.timestamp.strftime("%Y-%m-%d")] += 1
        _add(self.actors, entry.actor)
        if entry.outcome is not Outcome.OK:
            _add(self.refusals, f"{entry.actor}: {entry.event} {entry.outcome}")
        if entry.event == "audit.verified" and len(self.verifications) < MOST_NAMED:
            told = {name: entry.detail.get(name) for name in ("entries", "records", "problems")}
            self.verifications.append(
                {"at": entry.timestamp.isoformat(), "outcome": entry.outcome.value} | told
            )

    @property
    def keys(self) -> dict[str, int]:
        """How many keys were rotated, revoked and so on."""
        return {event: self.events[event] for event in ROTATIONS}

    @property
    def approvals(self) -> dict[str, int]:
        """How many approvals were asked for, given and so on."""
        return {event: count for event, count in sorted(self.events.items()) if event.startswith("approval.")}

    def as_document(self) -> dict[str, Any]:
        """As it is kept between two days."""
        return {
            "entries": self.entries,
            **{name: dict(getattr(self, name)) for name in _COUNTERS},
            "verifications": self.verifications,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Sums":
        """Read what was kept."""
        counters = {name: Counter(document[name]) for name in _COUNTERS}
        return cls(document["entries"], verifications=list(document["verifications"]), **counters)


_COUNTERS = ("events", "outcomes", "actors", "refusals", "days")


def _add(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < MOST_NAMED else OTHERS] += 1
