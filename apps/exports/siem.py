"""The trail as a SIEM reads it: JSON lines in files of a bucket, each entry in exactly one of them.

    siem/<chain>/<number of its first entry>.jsonl

A file is named by where the export stands, and written only if there is none of that name: of two processes at the same
entries, or of one that was killed before its place moved, the file that came first counts, and the place moves to its
last entry. So a file never changes, and none begins within another. Which entry is a file's last one is sealed under the
record key with the file's name: who can write the bucket alone moves no place.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from apps.audit.records import Entry
from apps.common.authenticated import is_authentic, make_tag
from apps.exports import bucket, ecs
from apps.following import places
from apps.following.records import Move

LAST, SEAL = "last", "seal"  # in a file's metadata: the number of its last entry, and what shows that it is
SEALED_AS = "siem-exports"
DIGITS = 15  # of an entry's number, at most
LINES = "application/x-ndjson"


def take(entries: Sequence[Entry], moves: Sequence[Move]) -> None:
    """Write entries to a file for each chain, then move on to the end of what is written."""
    done: list[Move] = []
    for move in moves:
        lines = [ecs.line(entry) for entry in entries if entry.chain == move.chain]
        key = f"siem/{move.chain}/{move.before + 1:012d}.jsonl"
        content = "".join(lines).encode()
        told = bucket.put_first(
            key,
            content,
            media_type=LINES,
            told=_told(key, move.after),
            ours=partial(_is_ours, key, move.before),
        )
        done.append(Move(move.follower, move.chain, move.before, int(told[LAST])))
    places.move(done)


def _told(key: str, last: int) -> dict[str, str]:
    return {LAST: str(last), SEAL: make_tag(SEALED_AS, _sealed(key, last), revision=last)}


def _sealed(key: str, last: int) -> dict[str, dict[str, str]]:
    return {"key": {"S": key}, LAST: {"N": str(last)}}


def _is_ours(key: str, before: int, told: Mapping[str, str]) -> bool:
    """Return whether the platform said what is told about a file of this name."""
    last = told.get(LAST, "")
    if not (last.isascii() and last.isdecimal() and len(last) <= DIGITS and int(last) > before):
        return False
    return is_authentic(SEALED_AS, _sealed(key, int(last)), told.get(SEAL, ""))
