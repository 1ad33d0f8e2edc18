"""What survives, and how: snapshots, the journal since, and the order in which they are read and written."""

import asyncio
import logging
from pathlib import Path
from time import perf_counter

from ministack import app as ministack
from ministack.core import persistence
from ministack.services import s3

from apps.stack.embedded import snapshots
from apps.stack.embedded.journal import Journal
from apps.stack.embedded.queues import DurableQueues
from apps.stack.embedded.tables import DurableTables

log = logging.getLogger("embedded")

COMPACT_AT_START = 2_000  # entries; about a second of replay
COMPACT_BYTES = 64 * 2**20
SNAPSHOT_SECONDS = 2.0


class DamagedSnapshot(Exception):
    """A snapshot is there and could not be read: going on would overwrite what is left of it."""


class Durability:
    """State of the embedded AWS on the disk."""

    def __init__(self, directory: Path, *, fsync: bool = False) -> None:
        self._directory = directory
        self.journal = Journal(directory, fsync=fsync)
        self._tables = DurableTables(self.journal)
        self._queues = DurableQueues(self.journal)
        self._dirty = False
        self._replayed = False

    def install(self) -> None:
        """Put every hook in place, before ministack starts."""
        self._tables.install()
        self._queues.install()
        load = ministack._load_persisted_state  # noqa: SLF001

        def load_and_clear() -> None:
            load()
            self._clear_stream_positions()

        ministack._load_persisted_state = load_and_clear  # noqa: SLF001

    async def restore(self) -> None:
        """Run the journal over the snapshots just loaded; from then on changes are logged.

        Raises:
            DamagedSnapshot, DamagedJournal, ReplayFailed: the state on the disk is not complete.
        """
        for part in (self._tables, self._queues):
            if (self._directory / f"{part.service}.json").exists() and not part.loaded:
                raise DamagedSnapshot(str(self._directory / f"{part.service}.json"))
        began, count = perf_counter(), 0
        for generation, entry in self.journal.entries():
            count += 1
            if generation > self._queues.generation:
                self._queues.replay(entry)
            if generation > self._tables.generation:
                await self._tables.replay(entry)
        if count:
            log.warning("replayed %d entries in %.2f s", count, perf_counter() - began)
        self._tables.serve(asyncio.get_running_loop())
        self._queues.serve()
        self.journal.open(after=max(self._tables.generation, self._queues.generation))
        self._replayed = count > 0
        if count > COMPACT_AT_START:
            self.compact()

    def answering(self, *, bucket_changed: bool) -> None:
        """Called before an answer leaves that is not DynamoDB's: what it promises is on the disk first."""
        self._queues.record()
        if bucket_changed:
            snapshots.write(self._directory, "s3", s3.get_state())

    def touched(self) -> None:
        """A call may have changed one of the small services."""
        self._dirty = True

    def compact(self) -> None:
        """Write both snapshots and drop the journal that they cover. Blocks: 2 to 4 s at 100,000 items."""
        covered = self.journal.generation
        self.journal.open()
        self._snapshot(covered)

    def close(self) -> None:
        """The last snapshot, so that the next start replays nothing."""
        self.journal.close()
        if self.journal.size or self._replayed:
            self._snapshot(self.journal.generation)
        else:  # the snapshots say it all
            self.journal.forget(self.journal.generation)

    def _snapshot(self, covered: int) -> None:
        for part in (self._tables, self._queues):
            snapshots.write(self._directory, part.service, part.state(covered))
        self.journal.forget(covered)
        self._replayed = False

    async def keep_small_services(self) -> None:
        """Save the services that have no journal, every few seconds while they are called; bound the journal."""
        while True:
            await asyncio.sleep(SNAPSHOT_SECONDS)
            if self.journal.size > COMPACT_BYTES:
                self.compact()
            if self._dirty:
                self._dirty = False
                for name, get_state in ministack._build_persistence_save_dict().items():  # noqa: SLF001
                    state = get_state()  # on the loop, where nothing changes it meanwhile
                    if name == "s3":  # not in a thread: `answering` writes it, too, and the later must win
                        snapshots.write(self._directory, name, state)
                    elif state is not None:
                        await asyncio.to_thread(persistence.save_state, name, state)

    @staticmethod
    def _clear_stream_positions() -> None:
        """Kept positions of function triggers would point past records that are no longer there."""
        functions = ministack._loaded_modules.get("lambda_svc")  # noqa: SLF001
        if functions is not None:
            functions._dynamodb_stream_positions._data.clear()  # noqa: SLF001
