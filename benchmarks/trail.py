"""How fast the audit trail is verified: the reader's processor time on recorded pages, of 0.85 KB an entry.

A page is the JSON that DynamoDB sends, or a block of the archive: parsing it, every hash, order, and the place in every
list are counted; the network is not.
"""

import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import chain as concatenated
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from apps.audit import archive, chain
from apps.audit.chain_keys import as_ring
from apps.audit.records import Entry, Outcome
from apps.audit.store import EntryTable
from apps.audit.walking import Walk, start_of
from apps.common import clock
from benchmarks.report import load

ENTRIES, A_PAGE = 50_000, 700  # a page of DynamoDB is 1 MB
KEYS = as_ring("recorded")


def recorded() -> list[str]:
    """Pages of one chain, as they are sent."""
    pages: list[str] = []
    before, items = chain.genesis("000"), []
    blank = Entry(
        chain="000", sequence=0, timestamp=clock.now(), event="file.read", outcome=Outcome.OK,
        actor="service:0123456789abcdef", source_ip="192.0.2.1", via="qks0123456789abcdef01234567",
        key_id="0123456789abcdef0123", session_id="3f" * 18, file_id="4a" * 18, detail={"name": "report.pdf", "bytes": 1},
        rows={"files/" + "4a" * 18: "12345678.1234567890123.abcdefghijklmnopqrstuv"},
    )  # fmt: skip
    for number in range(1, ENTRIES + 1):
        entry = chain.as_link(replace(blank, sequence=number), after=before, key=KEYS.current)
        before = entry.hash
        items.append(EntryTable.of(entry).serialize())
        if len(items) == A_PAGE or number == ENTRIES:
            pages.append(json.dumps({"Items": items}, separators=(",", ":")))
            items = []
    return pages


def rate(pages: list[Any], entries_of: Callable[[Any], list[Any]]) -> float:
    """Entries a second of processor time, best of five walks over the pages."""
    best = float("inf")
    for _ in range(5):
        walk = Walk("000", start_of("000"), KEYS)
        began = time.process_time()
        for page in pages:
            walk.take(entries_of(page))
        best = min(best, time.process_time() - began)
        if walk.problems or walk.entries != ENTRIES:
            raise AssertionError("the recorded chain is whole")
    return ENTRIES / best


def main() -> None:
    """Walk the recorded pages, and the same as blocks of the archive."""
    pages = recorded()
    size = sum(map(len, pages)) / ENTRIES
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fast = rate(pages, lambda page: json.loads(page)["Items"])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        f"verify_audit: {fast:,.0f} entries/s of reader CPU, {size:,.0f} bytes an entry; {grown / 1024:.0f} MiB more memory"
    )
    items = list(concatenated.from_iterable(json.loads(page)["Items"] for page in pages))
    blocks = [
        archive.as_lines(items[place : place + archive.BLOCK]) for place in range(0, ENTRIES, archive.BLOCK)
    ]
    print(f"archived blocks: {rate(blocks, archive.parsed):,.0f} entries/s of reader CPU; {load()}")


if __name__ == "__main__":
    main()
