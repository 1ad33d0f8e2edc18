"""What a table writer can do to the trail, and what each is named as: the table of docs/threat-model.md.

    python -m tests.audit.tampering

writes the table into the page. ``test_tampering`` does all of it, and holds the page to it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()

from django.conf import settings

from apps.access.store import ApiKeyTable
from apps.audit import bucket, chain
from apps.audit.chain_keys import ring
from apps.audit.store import EntryTable, HeadTable
from apps.common.aws import client
from apps.stack.configuration import ROOT

PAGE = ROOT / "docs" / "threat-model.md"
BEGIN, END = "<!-- made by python -m tests.audit.tampering -->\n", "<!-- end of it -->\n"


@dataclass
class Scene:
    """Two chains with entries, a checkpoint over both, and a record that was changed once."""

    chains: list[str]
    old_head: HeadTable
    row_before: dict[str, Any]

    @property
    def first(self) -> str:
        return self.chains[0]

    def items(self) -> list[Any]:
        return list(EntryTable.query(self.first))


@dataclass(frozen=True)
class Harm:
    """What is done, and a part of the sentence that names it."""

    do: Callable[[Scene], None]
    about: str
    named: str


def put(item: dict[str, Any]) -> None:
    client("dynamodb").put_item(TableName=EntryTable.Meta.table_name, Item=item)


def edit(scene: Scene) -> None:
    EntryTable.get(scene.first, 2).update([EntryTable.source_ip.set("192.0.2.7")])


def delete(scene: Scene) -> None:
    EntryTable.get(scene.first, 2).delete()


def insert(scene: Scene) -> None:
    length = HeadTable.get(scene.first).sequence
    item = EntryTable.get(scene.first, 1).serialize()
    put(item | {"sequence": {"N": str(length + 1)}})


def reorder(scene: Scene) -> None:
    two, three = (EntryTable.get(scene.first, number).serialize() for number in (2, 3))
    put(two | {"sequence": {"N": "3"}})
    put(three | {"sequence": {"N": "2"}})


def truncate(scene: Scene) -> None:
    scene.items()[-1].delete()


def old_head(scene: Scene) -> None:
    for row in scene.items():
        if row.sequence > scene.old_head.sequence:
            row.delete()
    scene.old_head.save()


def cut_chain(scene: Scene) -> None:
    for row in scene.items():
        row.delete()
    HeadTable.get(scene.first).delete()


def hide(scene: Scene) -> None:
    EntryTable.get(scene.first, 2).update([EntryTable.feed.set("nothing#0")])


def move(scene: Scene) -> None:
    EntryTable.get(scene.first, 2).update([EntryTable.actor_feed.set("nobody#0")])


def fewer_chains(scene: Scene) -> None:
    edit(scene)


def old_row(scene: Scene) -> None:
    client("dynamodb").put_item(TableName=ApiKeyTable.Meta.table_name, Item=scene.row_before)


def delete_checkpoint(scene: Scene) -> None:
    client("s3").delete_object(Bucket=settings.CHECKPOINTS_BUCKET, Key=bucket.key_of(1))


def time_back(scene: Scene) -> None:
    last = scene.items()[-1].record()
    late = replace(last, sequence=last.sequence + 1, timestamp=last.timestamp - timedelta(days=1))
    made = chain.as_link(late, after=last.hash, key=ring().current)
    EntryTable.of(made).save()
    HeadTable.of(chain.sealed_head(made, ring().current)).save()


HARMS: dict[str, Harm] = {
    "edit": Harm(edit, "an entry's address is changed", "its content was changed"),
    "delete": Harm(delete, "an entry is removed", "missing; the next entry found is 3"),
    "insert": Harm(
        insert, "a copy of an entry is put behind the last one", "does not continue the entry before it"
    ),
    "reorder": Harm(reorder, "two entries change places", "does not continue the entry before it"),
    "truncate": Harm(truncate, "the last entry is removed", "the chain ends here, but its head counts"),
    "old head": Harm(
        old_head, "the chain is set back, with the head of that time", "it was cut, or set back"
    ),
    "cut chain": Harm(
        cut_chain, "a chain is removed with its head", "the chain ends here, but checkpoint 1 of"
    ),
    "hidden index": Harm(
        hide, "an entry is taken out of the list of all", "it was moved in or hidden from lists (feed)"
    ),
    "moved in index": Harm(
        move, "an entry is taken out of its actor's list, into another's", "its content was changed"
    ),
    "fewer chains": Harm(
        fewer_chains, "an entry of a chain is changed that is no longer configured", "its content was changed"
    ),
    "old authentic row": Harm(
        old_row,
        "a revoked API key's row is set back to what it was before",
        "it was set back to an earlier state",
    ),
    "deleted checkpoint": Harm(
        delete_checkpoint,
        "a checkpoint is deleted, as far as the lock allows",
        "checkpoint 1: a delete marker hides it",
    ),
    "clock back": Harm(
        time_back,
        "who holds the audit key adds an entry of yesterday",
        "its time is before that of the entry before it",
    ),
}
# Done to the archive, each in a test of its own
ARCHIVE = {
    "archived block hidden": ("a delete marker hides it", "test_what_is_done_to_the_archive_is_named"),
    "archived block written over": (
        "it was written 2 times; the oldest that fits counts",
        "test_what_somebody_put_in_a_block_s_place_stops_nothing_and_is_named",
    ),
    "archived block changed without a lock": (
        "the platform did not write what is there, or it does not follow",
        "test_an_archived_block_that_was_changed_without_a_lock_is_named_entry_by_entry",
    ),
    "archived block removed without a lock": (
        "missing; the next entry found is",
        "test_an_archived_block_that_was_changed_without_a_lock_is_named_entry_by_entry",
    ),
    "other entry beside the archived one": (
        "the table has another than the archive",
        "test_an_entry_that_comes_back_beside_the_archive_has_to_be_the_archived_one",
    ),
    "note of the archive set back": (
        "it was set back to an earlier state",
        "test_a_note_that_was_set_back_removes_nothing_and_is_named",
    ),
}


def table() -> str:
    """Return the table."""
    shown = "test_what_is_done_to_the_trail_is_found_and_named"
    rows = [
        f"| {name} | {harm.about} | … {harm.named} … | `{shown}[{name}]` |" for name, harm in HARMS.items()
    ]
    rows += [f"| {name} | | … {named} … | `{test}` |" for name, (named, test) in ARCHIVE.items()]
    header = ["| | done | named, with its place | shown by tests/audit |", "|---|---|---|---|"]
    return "\n".join([*header, *rows]) + "\n"


def page() -> str:
    """Return the page with the table as it is now."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
