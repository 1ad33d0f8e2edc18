"""Walk one chain, entry by entry, in constant memory: what is missing, changed, out of order or cut off."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.audit import chain as chains
from apps.audit.chain_keys import KeyRing
from apps.audit.records import Head, Problem
from apps.audit.stored import Checked, check

NAMED_AT_MOST = 1000  # problems of a chain: without its key it has as many as entries
Item = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """How far a chain was walked: the last entry's number, hash and time."""

    sequence: int
    hash: str
    timestamp: str = ""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a checkpoint says of a chain: it has so many entries at least, and the last of these has this hash."""

    length: int
    hash: str
    by: str  # names the checkpoint in sentences


def start_of(chain: str) -> Place:
    """Return the place before a chain's first entry."""
    return Place(0, chains.genesis(chain))


@dataclass(slots=True)
class Walk:
    """One chain as it is walked.

    Args:
        chain: its name.
        place: where the walk goes on.
        keys: that count.
        demand: what the newest checkpoint says of the chain, if that lies ahead.
        seen: is given every entry.
        covered: up to where the checkpoint covers it; the entry there counts as read before.
        grown: entries were written behind its end while it was read.
        ended: it was walked to its end.
    """

    chain: str
    place: Place
    keys: KeyRing
    demand: Demand | None = None
    seen: Callable[[Checked], None] | None = None
    covered: int = 0
    grown: bool = False
    ended: bool = False
    entries: int = 0
    problems: list[Problem] = field(default_factory=list)

    def as_document(self) -> dict[str, Any]:
        """Return how far it is, to go on from there later."""
        place = self.place
        return {
            "place": [place.sequence, place.hash, place.timestamp],
            "covered": self.covered,
            "ended": self.ended,
            "entries": self.entries,
            "problems": [[problem.sequence, problem.what] for problem in self.problems],
        }

    def go_on_from(self, document: Mapping[str, Any]) -> None:
        """Take up what ``as_document`` gave."""
        self.place = Place(*document["place"])
        self.covered, self.ended = document["covered"], document["ended"]
        self.entries = document["entries"]
        self.problems = [Problem(self.chain, sequence, what) for sequence, what in document["problems"]]

    def take(self, items: Iterable[Item]) -> None:
        """Check the entries that follow."""
        for item in items:
            found = check(item, self.keys)
            sequence = found.sequence
            if sequence is None:
                self.name(self.place.sequence + 1, f"{found.wrong[0]}; its number is no whole one")
                continue
            self._compare_place(sequence, found)
            for what in found.wrong:
                self.name(sequence, what)
            self.entries += sequence > self.covered
            self.place = Place(sequence, found.hash, self.place.timestamp if found.wrong else found.timestamp)
            if self.demand and sequence == self.demand.length and found.hash != self.demand.hash:
                self.name(sequence, f"it is another than {self.demand.by} names")
            if self.seen and sequence > self.covered:
                self.seen(found)

    def _compare_place(self, sequence: int, found: Checked) -> None:
        expected = self.place.sequence + 1
        if sequence != expected:
            self.name(expected, f"missing; the next entry found is {sequence}")
        elif self.place.hash and found.previous_hash != self.place.hash:
            self.name(sequence, "does not continue the entry before it")
        # The platform lets no entry be older than the one before it; format 0 knew nothing of that
        if found.format and not found.wrong and found.timestamp < self.place.timestamp:
            self.name(sequence, "its time is before that of the entry before it")

    def end(self, head: Head | None) -> None:
        """Compare the end with the chain's head, and with what the checkpoint demands."""
        self.ended = True
        length = self.place.sequence
        if self.demand and length < self.demand.length:
            self.name(
                length + 1,
                f"the chain ends here, but {self.demand.by} counts {self.demand.length} entries: it was cut, or set back",
            )
        if self.grown:
            return
        if head is None:
            if length:
                self.name(length, "the chain has entries, but no head")
            return
        if length != head.sequence:
            self.name(length + 1, f"the chain ends here, but its head counts {head.sequence} entries")
        if not chains.is_sealed(head, self.keys):
            self.name(length, "the head was changed")
        elif length == head.sequence and head.hash != self.place.hash:
            self.name(length, "the head does not match the last entry")

    def name(self, sequence: int, what: str) -> None:
        """Name a problem, up to so many."""
        if len(self.problems) < NAMED_AT_MOST:
            self.problems.append(Problem(self.chain, sequence, what))
