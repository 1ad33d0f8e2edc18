"""Walk the chains of the trail, and tell what was changed, removed or reordered (D3); on demand, the records too.

Entries are read as a stream. Of the records' newest tags, which the entries name, all are kept: about 200 bytes
for each record of the platform.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from django.conf import settings

from apps.audit import chain as chains
from apps.audit import rows, store
from apps.audit.records import Entry, Head, Problem
from apps.audit.rows import NewestTags, RowProblem
from apps.audit.services import entries_page
from apps.common.dynamodb import misplaced


@dataclass(frozen=True, slots=True)
class Verification:
    """What walking every chain found; ``records`` counts the rows held against it, None where none were."""

    chains: int
    entries: int
    problems: list[Problem]
    records: int | None = None
    row_problems: list[RowProblem] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Return whether nothing was found."""
        return not self.problems and not self.row_problems


@dataclass(slots=True)
class _Walk:
    """One chain as it is walked."""

    chain: str
    head: Head | None
    newest: NewestTags
    entries: int = 0
    last: Entry | None = None
    moved: list[Problem] = field(default_factory=list)

    @property
    def length(self) -> int:
        """How many entries the head counts."""
        return self.head.sequence if self.head else 0

    def read(self) -> Iterator[Entry]:
        """Yield the entries that the head counts, and any that are no later growth of the chain."""
        for row in store.walk_rows(self.chain):
            entry = row.record()
            if entry.sequence > self.length and self._grew_to(entry.sequence):
                return
            places = misplaced(row, entry)
            if places:
                self.moved.append(
                    Problem(
                        self.chain,
                        entry.sequence,
                        f"it was moved in or hidden from lists ({', '.join(places)})",
                    )
                )
            self.newest.add(entry)
            self.entries, self.last = self.entries + 1, entry
            yield entry

    def _grew_to(self, sequence: int) -> bool:
        now = store.head(self.chain)
        return now is not None and now.sequence >= sequence and _is_sealed(now)


def verify(*, records: bool = False) -> Verification:
    """Walk every chain from its first entry to its head (D3); then hold every record against what the entries name."""
    found: list[Problem] = []
    newest, walked = NewestTags(), {}
    for chain in chains.names(settings.AUDIT_CHAINS):
        walk = _Walk(chain, store.head(chain), newest)
        found.extend(_problems(walk))
        walked[chain] = walk
    entries = sum(walk.entries for walk in walked.values())
    used = sum(bool(walk.entries) for walk in walked.values())
    if not records:
        return Verification(used, entries, found)
    ends = {chain: walk.length for chain, walk in walked.items()}
    count, wrong = rows.verify_rows(newest, catch_up=lambda: _read_on(newest, ends))
    return Verification(used, entries, found, count, wrong)


def proven_entries(*, by: str, value: str, limit: int) -> list[Entry]:
    """Read the newest entries about a subject, as ``entries_page``; what the platform did not write is left out."""
    key = settings.AUDIT_KEY.encode()
    found = entries_page(limit=limit, by=by, value=value).records
    return [entry for entry in found if chains.is_whole(entry, key)]


def _problems(walk: _Walk) -> Iterator[Problem]:
    key = settings.AUDIT_KEY.encode()
    yield from chains.problems(walk.read(), chain=walk.chain, length=walk.length, key=key)
    yield from walk.moved
    head, last = walk.head, walk.last
    if head and not _is_sealed(head):
        yield Problem(walk.chain, walk.length, "the head was changed")
    elif head and last and last.sequence == walk.length and last.hash != head.hash:
        yield Problem(walk.chain, walk.length, "the head does not match the last entry")


def _is_sealed(head: Head) -> bool:
    key = settings.AUDIT_KEY.encode()
    return chains.is_same(head.seal, chains.head_seal(head.chain, head.sequence, head.hash, key))


def _read_on(newest: NewestTags, ends: Mapping[str, int]) -> None:
    """Add the tags of what was written since the chains were walked."""
    for chain, end in ends.items():
        for entry in store.walk(chain, after=end):
            newest.add(entry)
