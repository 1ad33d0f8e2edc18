"""What survives, and how: snapshots, the journal since, and the order in which they are read and written."""

import asyncio
import logging
from pathlib import Path
from time import perf_counter
from typing import Any

from ministack import app as ministack
from ministack.services import s3

from apps.stack.embedded import lists, snapshots
from apps.stack.embedded.disk import Disk
from apps.stack.embedded.ending import end
from apps.stack.embedded.journal import Journal
from apps.stack.embedded.objects import FlushedObjects, StrictObjects
from apps.stack.embedded.ordered import OrderedQueries
from apps.stack.embedded.queues import DurableQueues
from apps.stack.embedded.tables import DurableTables

log = logging.getLogger("embedded")

COMPACT_AT_START = 500  # entries; less than half a second of replay
COMPACT_ENTRIES = 8_000  # about four seconds of replay
COMPACT_BYTES = 64 * 2**20
SNAPSHOT_SECONDS = 2.0


class DamagedSnapshot(Exception):
    """A snapshot is there and could not be read: going on would overwrite what is left of it."""


class Durability:
    """State of the embedded AWS on the disk."""

    def __init__(self, directory: Path, *, fsync: bool = False) -> None:
        self.directory = directory
        self._disk = Disk() if fsync else None
        self.journal = Journal(directory, self._disk)
        self._tables = DurableTables(self.journal)
        self._queues = DurableQueues(self.journal)
        self._objects = StrictObjects()
        self._damaged: list[str] = []  # services whose snapshot is there and was not read
        self._dirty = False
        self._replayed = False
        self._behind = 0  # entries of the journal that the snapshots lack, but for those of this run

    def install(self) -> None:
        """Put every hook in place, before ministack starts."""
        self._tables.install()
        self._queues.install()
        self._objects.install()
        if self._disk is not None:
            FlushedObjects(self._disk).install()
        OrderedQueries().install()
        load, load_one = ministack._load_persisted_state, ministack.load_state  # noqa: SLF001

        def load_or_note(service: str) -> Any:
            found = snapshots.read_with_rows(self._snapshot_of(service)) or load_one(service)
            if found is None and self._snapshot_of(service).exists():
                self._damaged.append(service)
            return found

        def load_and_clear() -> None:
            load()
            self._clear_stream_positions()

        ministack._load_persisted_state = load_and_clear  # noqa: SLF001
        ministack.load_state = load_or_note

    def _snapshot_of(self, service: str) -> Path:
        return self.directory / f"{service}.json"

    async def restore(self) -> None:
        """Run the journal over the snapshots just loaded; from then on changes are logged.

        Raises:
            DamagedSnapshot, DamagedJournal, ReplayFailed: the state on the disk is not complete.
        """
        for part in (self._tables, self._queues, self._objects):
            if self._snapshot_of(part.service).exists() and not part.loaded:
                self._damaged.append(part.service)
        if self._damaged:
            names = ", ".join(str(self._snapshot_of(service)) for service in sorted(set(self._damaged)))
            raise DamagedSnapshot(f"{names} is damaged.")
        # Before the journal, which changes them
        has_lists = lists.read(self.directory, self._tables.lists) if self._tables.lists else 0
        began, count = perf_counter(), 0
        for generation, entry in self.journal.entries():
            count += 1
            if generation > self._queues.generation:
                self._queues.replay(entry)
            if generation > self._tables.generation:
                await self._tables.replay(entry)
        if count:
            log.warning("replayed %d entries in %.2f s", count, perf_counter() - began)
        self._tables.index()
        self._tables.serve(asyncio.get_running_loop())
        self._queues.serve()
        self.journal.open(after=max(self._tables.generation, self._queues.generation))
        self._behind = count
        # In the background, once it answers
        self._replayed = count > COMPACT_AT_START or (not has_lists and self._is_large())

    def answering(self, *, bucket_changed: bool) -> None:
        """Called before an answer leaves that is not DynamoDB's: what it promises is on the disk first."""
        self._queues.record()
        if bucket_changed:
            try:
                snapshots.write(self.directory, "s3", s3.get_state())
            except OSError as error:
                end("a bucket cannot be kept on the disk", error)

    def asked(self) -> None:
        """Called before a request is looked at."""
        self._queues.follow_clock()

    async def settled(self) -> None:
        """Wait until whatever changed until now survives a power cut, where that is wanted.

        Also before an answer that changes nothing: it may tell of what somebody else changed.
        """
        if self._disk is not None:
            await self._disk.settled()

    def touched(self) -> None:
        """A call may have changed one of the small services."""
        self._dirty = True

    def close(self) -> None:
        """The last snapshot, so that the next start replays nothing; a large one is not written for a few changes."""
        self.journal.close()
        changes = self._behind + self.journal.count
        if 0 < changes <= COMPACT_AT_START and self._is_large():
            return
        if changes:
            self._write_snapshots(self.journal.generation)
        self.journal.forget(self.journal.generation)

    def _is_large(self) -> bool:
        path = self._snapshot_of(self._tables.service)
        return path.exists() and path.stat().st_size > COMPACT_BYTES

    def _write_snapshots(self, covered: int) -> None:
        tables, queues, token = self._tables, self._queues, lists.new_token()
        snapshots.write(self.directory, tables.service, tables.state(covered, token), rows=tables.rows())
        snapshots.write(self.directory, queues.service, queues.state(covered))
        lists.write(self.directory, token)

    async def keep(self) -> None:
        """Bound the journal, and save every few seconds the services that have none, until cancelled."""
        while True:
            await asyncio.sleep(SNAPSHOT_SECONDS)
            try:
                if (
                    self._replayed
                    or self.journal.size > COMPACT_BYTES
                    or self.journal.count > COMPACT_ENTRIES
                ):
                    await self.compact()
                self._keep_small_services()
            except OSError as error:  # what they would have covered is still in the journal
                log.error("the snapshots cannot be written: %s", error)  # noqa: TRY400 - no traceback for a full disk

    async def compact(self) -> None:
        """Write both snapshots beside the calls that go on, then drop the journal that they cover.

        Raises:
            OSError: they could not be written; the journal stays.
        """
        covered = self.journal.generation
        self._behind += self.journal.count  # until the snapshots have them
        behind = self._behind
        self.journal.open()  # what comes from here on is not in the snapshots
        self._replayed = False
        await snapshots.write_aside(lambda: self._write_snapshots(covered))
        self.journal.forget(covered)
        self._behind -= behind

    def _keep_small_services(self) -> None:
        if not self._dirty:
            return
        self._dirty = False
        for name, get_state in ministack._build_persistence_save_dict().items():  # noqa: SLF001
            state = get_state()
            if state is not None:  # not in a thread: `answering` writes S3's, too, and the later must win
                snapshots.write(self.directory, name, state)

    @staticmethod
    def _clear_stream_positions() -> None:
        """Kept positions of function triggers would point past records that are no longer there."""
        functions = ministack._loaded_modules.get("lambda_svc")  # noqa: SLF001
        if functions is not None:
            functions._dynamodb_stream_positions._data.clear()  # noqa: SLF001
