"""Fills a stopped platform's tables: ``python -m benchmarks.many_rows <snapshot> <rows> [sessions]``, in its environment.

Each table gets as many rows, tagged as the platform tags them, and as large as the platform writes them. They are
written into the snapshot of the embedded AWS: through its API 300,000 rows take the better part of an hour.
"""

import base64
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import django

django.setup()

from django.conf import settings

from apps.audit.records import Entry, Outcome
from apps.audit.store import EntryTable
from apps.audit.tagging import tag_row
from apps.common import clock
from apps.files.records import Document
from apps.files.states import FileStatus
from apps.files.store import FileTable
from apps.files.trail import FileEvent
from apps.jobs.records import Job, JobState
from apps.jobs.store import JobTable
from apps.rollups.outcomes import SERIES
from apps.rollups.records import Period, Rollup
from apps.rollups.store import BUCKET, RollupTable, key_of
from apps.sessions.job_kinds import SessionJob
from apps.sessions.records import Session, SessionStatus
from apps.sessions.store import SessionTable
from qkdseal.kem import Suite

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = "service:00000000f1257000"
ENVELOPE = {"header": {"suite": str(next(iter(Suite))), "salt": "s" * 44}, "kem": "k" * 1500, "tag": "t" * 60}
MADE = 2_000  # rows of each table with tags of their own
PATTERN = 76_543_210  # a number that is in a row only where its own number is
ACCOUNT, NO_SORT_KEY, END = "000000000000", "__no_sort__", b"end\n"  # as the embedded AWS has them


def document(number: int) -> Document:
    """A document as it is after its encryption."""
    name = str(UUID(int=number))
    return Document(
        file_id=name,
        name=f"document {number}.pdf",
        document_type="contract",
        owner=OWNER,
        uploaded_at=FIRST + timedelta(seconds=number),
        encrypted_at=FIRST + timedelta(seconds=number + 1),
        envelope=ENVELOPE,
        body={"bucket": "qkd-local-encrypted", "key": f"files/{name}", "version": name},
        suite=str(next(iter(Suite))),
        pool_key_id=f"pk-{number % 100}",
        quantum_key_id=f"{name}.{number % 64}",
        size=number,
        ciphertext_size=number,
        sealed_digest=bytes(60),
        status=FileStatus.ENCRYPTED,
    )


def job(number: int) -> Job:
    """A job that has ended."""
    moment = FIRST + timedelta(seconds=number)
    return Job(
        job_id=str(UUID(int=number)),
        kind=str(next(iter(SessionJob))),
        state=JobState.SUCCEEDED,
        owner=OWNER,
        total=10,
        done=10,
        created_at=moment,
        started_at=moment,
        ended_at=moment,
    )


def entry(number: int) -> Entry:
    """An entry about one file, in a chain of its own."""
    return Entry(
        chain="benchmark",
        sequence=number,
        timestamp=FIRST + timedelta(seconds=number),
        event=str(next(iter(FileEvent))),
        outcome=Outcome.OK,
        actor=OWNER,
        source_ip="192.0.2.1",
        via=None,
        key_id=f"pk-{number % 100}",
        session_id=None,
        file_id=str(UUID(int=number)),
        detail={"size": number},
        rows={f"files/{UUID(int=number)}": "r" * 60},
        previous_hash="p" * 64,
        hash="h" * 64,
    )


def session(number: int, begins: datetime) -> Session:
    """A session that was judged; of the newest, every hundredth was tapped."""
    moment = begins + timedelta(seconds=number)
    tapped = number % 100 == 0
    return Session(
        session_id=str(UUID(int=number)),
        timestamp=moment,
        status=SessionStatus.COMPROMISED if tapped else SessionStatus.READY,
        owner=OWNER,
        link="default",
        key_length=256,
        parameters={
            "key_length": 256,
            "error_rate": 0.02,
            "eavesdropper": {"kind": "none"},
            "link": "default",
        },
        expected_qber=0.02,
        estimated_qber=0.25 if tapped else 0.02,
        qber_low=0.22 if tapped else 0.015,
        qber_high=0.28 if tapped else 0.03,
        counts={"n_rect": 400, "errors_rect": 8, "n_diag": 400, "errors_diag": 8},
        ledger={
            "lengths": {
                "raw": 4000,
                "detected": 4000,
                "sifted": 2000,
                "sampled": 800,
                "kept": 1200,
                "final": 256,
            }
        },
        sifted_key_length=2000,
        corrected_key_length=1200,
        final_key_length=0 if tapped else 256,
        secret=True,
        reason_code=None,
        reason=None,
        duration_ms=8.0,
        keys_total=0 if tapped else 1,
        keys_taken=0 if tapped else 1,
        judged_at=moment,
    )


def sums(count: int, begins: datetime, period: Period) -> Iterator[Rollup]:
    """What the rollups say of the sessions, each bucket in all its parts."""
    counted = Counter(
        (
            period.start_of(begins + timedelta(seconds=number)),
            number % settings.ROLLUP_PARTS,
            not number % 100,
        )
        for number in range(count)
    )
    for (start, part, tapped), number in counted.items():
        outcome = SessionStatus.COMPROMISED if tapped else SessionStatus.READY
        bucket = f"{start.strftime(BUCKET)}#{part:02d}#{outcome}#default"
        ends = int((start + period.kept).timestamp())
        yield Rollup(key_of(SERIES, period, start), bucket, number, number * (25.0 if tapped else 2.0), ends)


def items(table: Any, records: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The records as DynamoDB keeps them, in JSON."""
    for record in records:
        row = table.of(record)
        tag_row(row)
        yield {
            name: {
                kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value
                for kind, value in typed.items()
            }
            for name, typed in row.serialize().items()
        }


def packed(item: dict[str, Any]) -> str:
    """An item as the embedded AWS keeps it."""
    return json.dumps(item, separators=(",", ":"))


def rows(table: Any, make: Callable[[int], Any], count: int, begins: datetime = FIRST) -> Iterator[str]:
    """So many rows as JSON: only the newest are made one by one, as no page that is measured shows others."""
    (pattern,) = map(packed, items(table, [make(PATTERN)]))
    own = [(str(UUID(int=PATTERN)), lambda number: str(UUID(int=number)))]
    own += [(str(PATTERN), str)]
    own += [
        (
            clock.as_text(begins + timedelta(seconds=PATTERN + more)),
            partial(_moment, begins=begins, more=more),
        )
        for more in (0, 1)
    ]
    for number in range(max(0, count - MADE)):
        text = pattern
        for what, instead in own:
            text = text.replace(what, instead(number))
        yield text
    yield from map(packed, items(table, map(make, range(max(0, count - MADE), count))))


def _moment(number: int, *, begins: datetime, more: int) -> str:
    return clock.as_text(begins + timedelta(seconds=number + more))


def lines(table: Any, made: Iterable[str]) -> Iterator[bytes]:
    """The rows as a snapshot has them: a line that names their table, then each with its keys."""
    schema = table._get_schema()["key_schema"]  # noqa: SLF001 - what create_table sends
    # The partition's before the sort key's, as HASH is before RANGE
    names = [part["AttributeName"] for part in sorted(schema, key=lambda part: str(part["KeyType"]))]
    yield json.dumps([ACCOUNT, settings.AWS_REGION, table.Meta.table_name]).encode() + b"\n"
    for text in made:
        item = json.loads(text)
        keys = [str(next(iter(item[name].values()))) for name in names]
        partition, sort = keys if len(keys) > 1 else (*keys, NO_SORT_KEY)
        yield f"{json.dumps(partition)}\t{json.dumps(sort)}\t{text}\n".encode()


def fill(snapshot: Path, count: int, *, sessions: bool = False) -> None:
    """Put rows behind those that a stopped embedded AWS has in its snapshot; sessions end now, one a second."""
    with snapshot.open("r+b") as file:
        file.seek(-len(END), os.SEEK_END)
        if file.read() != END:
            raise ValueError(f"{snapshot} has no rows.")
        file.seek(-len(END), os.SEEK_END)
        for table, make in ((FileTable, document), (JobTable, job), (EntryTable, entry)):
            file.writelines(lines(table, rows(table, make, count)))
        if sessions:
            begins = clock.ago(count).replace(microsecond=0)
            made = rows(SessionTable, partial(session, begins=begins), count, begins)
            file.writelines(lines(SessionTable, made))
            added = (row for period in Period for row in sums(count, begins, period))
            file.writelines(lines(RollupTable, map(packed, items(RollupTable, added))))
        file.write(END)


def main() -> None:
    """Fill files, jobs and the trail, and sessions where asked."""
    fill(Path(sys.argv[1]), int(sys.argv[2]), sessions=sys.argv[3:] == ["sessions"])


if __name__ == "__main__":
    main()
