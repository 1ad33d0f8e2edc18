"""Old entries move to the archive and still verify; nothing leaves the table that the archive does not hold."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.access.roles import Role
from apps.audit import archive, archiving, bucket, checkpointing, services, tasks, writing
from apps.audit.archive import Block
from apps.audit.archiving import NotArchived
from apps.audit.records import SWEEPER, system
from apps.audit.services import record
from apps.audit.store import ARCHIVE, ArchiveTable, EntryTable, HeadTable
from apps.audit.verification import Depth, verify
from apps.common.aws import client
from apps.files.trail import FileEvent
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from tests import requirement
from tests.conftest import TESTS, Api

ACTOR = system("tests")
CHAIN = "007"


def write(count: int) -> None:
    for _ in range(count):
        record(ACTOR, FileEvent.READ, file_id="a-file")


def in_table(chain: str = CHAIN) -> list[int]:
    return [int(row.sequence) for row in EntryTable.query(chain)]


def objects() -> list[str]:
    return [slot.key for slot in bucket.keys(archive.PREFIX)]


def move() -> None:
    for one in archiving.due():
        archiving.move(one, actor=SWEEPER)


def problems(depth: Depth = Depth.RECORDS) -> list[str]:
    return list(verify(depth).all_problems())


@pytest.fixture
def old(aws: None, settings: Any, monkeypatch: pytest.MonkeyPatch, later: Any) -> None:
    """A chain of 25 entries that a checkpoint of 40 days ago covers, in blocks of 10, and two entries since."""
    settings.AUDIT_ARCHIVE_DAYS = 30
    monkeypatch.setattr(archive, "BLOCK", 10)
    monkeypatch.setattr(archiving, "BLOCK", 10)
    monkeypatch.setattr(archiving, "SLICE", 4)
    writing.known_chains().names = [CHAIN]
    write(25)
    checkpointing.make(actor=SWEEPER)
    later(days=40)
    write(2)


@requirement("D5", "G6")
def test_whole_blocks_of_old_entries_move_and_still_verify(old: None):
    before = problems()
    move()
    assert objects() == ["archive/007/000000001.jsonl", "archive/007/000000002.jsonl"]
    assert in_table()[0] == 21
    assert (before, problems()) == ([], [])
    assert verify().entries == HeadTable.get(CHAIN).sequence, "those of the archive are read, too"
    assert verify(Depth.SINCE_CHECKPOINT).whole
    assert checkpointing.make(actor=SWEEPER).problems == []


@requirement("D5", "I1")
def test_each_slice_that_leaves_the_table_has_its_entry(old: None):
    move()
    told = [e for e in services.entries_page(limit=100).records if e.event == "audit.archived"]
    assert sorted((e.detail["first"], e.detail["last"]) for e in told) == [
        (1, 4),
        (5, 8),
        (9, 10),
        (11, 14),
        (15, 18),
        (19, 20),
    ]
    assert all(f"audit-archives/{ARCHIVE}/{CHAIN}" in entry.rows for entry in told)


@requirement("D5")
def test_nothing_moves_that_is_young_or_that_no_checkpoint_covers(
    aws: None, settings: Any, monkeypatch: Any, later: Any
):
    settings.AUDIT_ARCHIVE_DAYS = 30
    monkeypatch.setattr(archive, "BLOCK", 10)
    monkeypatch.setattr(archiving, "BLOCK", 10)
    writing.known_chains().names = [CHAIN]
    write(25)
    later(days=40)
    assert archiving.due() == [], "there is no checkpoint"
    checkpointing.make(actor=SWEEPER)
    assert archiving.due() == [], "it is young"
    later(days=31)
    assert [one.entries for one in archiving.due()] == [20]
    settings.AUDIT_ARCHIVE_DAYS = 0
    assert archiving.due() == []


@requirement("D5")
def test_the_entry_that_a_checkpoint_names_stays(aws: None, settings: Any, monkeypatch: Any, later: Any):
    settings.AUDIT_ARCHIVE_DAYS = 30
    monkeypatch.setattr(archive, "BLOCK", 10)
    monkeypatch.setattr(archiving, "BLOCK", 10)
    writing.known_chains().names = [CHAIN]
    write(20)
    checkpointing.make(actor=SWEEPER)
    later(days=40)
    move()
    assert objects() == ["archive/007/000000001.jsonl"]
    assert verify(Depth.SINCE_CHECKPOINT).whole


@requirement("D5", "I10")
@pytest.mark.parametrize("harm", ["edit", "delete"])
def test_a_chain_that_does_not_verify_stays(old: None, harm: str):
    row = EntryTable.get(CHAIN, 3)
    row.delete() if harm == "delete" else row.update([EntryTable.source_ip.set("192.0.2.7")])
    before = in_table()
    with pytest.raises(NotArchived, match="does not verify up to checkpoint 1"):
        move()
    assert (objects(), in_table()) == ([], before)


@requirement("D5", "I10")
def test_a_chain_that_was_rewritten_with_the_audit_key_stays(old: None):
    """Who holds AUDIT_KEY, but cannot sign, makes a chain that verifies: the checkpoint names another end."""
    from dataclasses import replace

    from apps.audit import chain as chains
    from apps.audit.chain_keys import ring

    before = chains.genesis(CHAIN)
    for row in list(EntryTable.query(CHAIN)):
        made = chains.as_link(replace(row.record(), source_ip="192.0.2.7"), after=before, key=ring().current)
        EntryTable.of(made).save()
        before = made.hash
    with pytest.raises(NotArchived, match="it is another than checkpoint 1"):
        move()
    assert objects() == []


class Killed(BaseException):
    """The process ends here."""


@requirement("D5", "C6")
@pytest.mark.parametrize("slices", [0, 2, 3, 6])
def test_a_removal_that_ended_in_the_middle_is_gone_on_with(old: None, slices: int):
    left = [slices]

    def tick(_: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    for one in archiving.due():
        if slices < 6:
            with pytest.raises(Killed):
                archiving.move(one, actor=SWEEPER, tick=tick)
        else:
            archiving.move(one, actor=SWEEPER, tick=tick)
    assert problems() == [], "what is written and not removed yet is in both"
    move()
    assert problems() == []
    assert in_table()[0] == 21
    assert archiving.due() == []
    told = [e for e in services.entries_page(limit=100).records if e.event == "audit.archived"]
    assert len(told) == 6, "nothing was done twice"


@requirement("D5", "I4")
def test_what_does_not_read_back_removes_nothing(old: None, monkeypatch: Any):
    written = archive.as_lines
    monkeypatch.setattr(archive, "as_lines", lambda items: written(items)[:-30])
    before = in_table()
    with pytest.raises(NotArchived, match="does not read back"):
        move()
    assert in_table() == before


@requirement("D5", "I10")
@pytest.mark.parametrize("content", [b"[" * 10**5, b"\xff\xfe", b'{"sequence": {"N": "1"}}\n' * 10])
def test_what_somebody_put_in_a_block_s_place_stops_nothing_and_is_named(
    old: None, settings: Any, content: bytes
):
    place = Block(CHAIN, 1).key
    client("s3").put_object(Bucket=settings.CHECKPOINTS_BUCKET, Key=place, Body=content)
    assert any("the platform did not write what is there" in what for what in problems())
    move()
    assert in_table()[0] == 21
    found = problems()
    assert len(found) == 1
    assert "archived block 1 (entries 1 to 10): it was written 2 times" in found[0]


UNSTORABLE = [
    "5",
    '{"S": 5}',
    '{"S": "\\ud800"}',
    '{"N": [1]}',
    '{"S": "x", "N": "1"}',
    "{}",
    '{"M": {}}',
    "null",
    '["S"]',
]


@requirement("D5", "I10")
@pytest.mark.parametrize("value", UNSTORABLE)
def test_what_the_table_could_not_hold_is_no_entry(value: str):
    line = json.dumps({"sequence": {"N": "1"}, "hash": "HERE"}).replace('"HERE"', value)
    assert archive.parsed(line.encode()) == []
    assert archive.parsed(b'{"hash": {"S": "x"}}') == []
    assert archive.parsed(b'{"sequence": {"N": "1"}, "hash": {"S": "x"}}') != []


@requirement("D5", "I10")
def test_a_block_with_what_the_table_could_not_hold_does_not_break_the_reader(old: None, settings: Any):
    move()
    place = {"Bucket": settings.CHECKPOINTS_BUCKET, "Key": Block(CHAIN, 1).key}
    content = client("s3").get_object(**place)["Body"].read()
    [slot] = list(bucket.keys(place["Key"]))
    client("s3").delete_object(**place, VersionId=slot.versions[0], BypassGovernanceRetention=True)
    client("s3").put_object(**place, Body=content.replace(b'"hash":{', b'"hash":5,"more":{', 1))
    assert any("archived block 1" in what for what in problems(Depth.ENTRIES))
    assert services.find_entry(CHAIN, 3) is None


@requirement("D5", "I10")
def test_what_is_done_to_the_archive_is_named(old: None, settings: Any):
    move()
    place = {"Bucket": settings.CHECKPOINTS_BUCKET, "Key": Block(CHAIN, 2).key}
    content = client("s3").get_object(**place)["Body"].read()
    client("s3").delete_object(**place)
    assert problems() == [
        f"chain {CHAIN}, entry 11: archived block 2 (entries 11 to 20): a delete marker hides it"
    ]
    client("s3").put_object(**place, Body=content.replace(b"a-file", b"b-file"))
    assert len(problems()) == 2, "the oldest version still counts"
    client("s3").put_object(Bucket=settings.CHECKPOINTS_BUCKET, Key=f"{archive.PREFIX}{CHAIN}/x", Body=b"")
    assert any("which is none of a block" in what for what in problems())


@requirement("D5", "I10")
def test_an_archived_block_that_was_changed_without_a_lock_is_named_entry_by_entry(old: None, settings: Any):
    move()
    [slot] = [slot for slot in bucket.keys(archive.PREFIX) if slot.key == Block(CHAIN, 2).key]
    place = {"Bucket": settings.CHECKPOINTS_BUCKET, "Key": slot.key}
    content = client("s3").get_object(**place)["Body"].read()
    lines = content.splitlines()
    lines[3] = lines[3].replace(b"a-file", b"b-file")
    client("s3").delete_object(**place, VersionId=slot.versions[0], BypassGovernanceRetention=True)
    client("s3").put_object(**place, Body=b"\n".join(lines))
    found = problems()
    assert any("entry 14: its content was changed" in what for what in found)
    client("s3").delete_object(**place)
    for version in client("s3").list_object_versions(Bucket=place["Bucket"], Prefix=slot.key)["Versions"]:
        client("s3").delete_object(**place, VersionId=version["VersionId"], BypassGovernanceRetention=True)
    assert any("entry 11: missing; the next entry found is 21" in what for what in problems())


@requirement("D5", "I10")
def test_an_entry_that_comes_back_beside_the_archive_has_to_be_the_archived_one(old: None):
    row = EntryTable.get(CHAIN, 3)
    move()
    row.save()
    assert problems() == [], "it is the same"
    EntryTable.get(CHAIN, 3).update([EntryTable.source_ip.set("192.0.2.7")])
    assert problems() == [f"chain {CHAIN}, entry 3: the table has another than the archive"]


@requirement("D5", "I10")
def test_a_note_that_was_set_back_removes_nothing_and_is_named(old: None, settings: Any, later: Any):
    one = archiving.due()[0]
    with pytest.raises(Killed):
        archiving.move(one, actor=SWEEPER, tick=_killing)
    row = ArchiveTable.get(ARCHIVE, CHAIN)
    move()
    row.save()
    assert any("it was set back to an earlier state" in what for what in problems())
    checkpointing.make(actor=SWEEPER)
    later(days=40)
    with pytest.raises(NotArchived, match="missing"):
        move()


def _killing(_: int) -> None:
    raise Killed


@requirement("D5")
def test_entries_that_are_archived_while_a_chain_is_read_are_not_missing(old: None, monkeypatch: Any):
    from apps.audit import reading

    pages = reading.pages
    moved: list[int] = []

    def slowly(chain: str, *, after: int = 0, until: int | None = None) -> Any:
        for page in pages(chain, after=after, until=until):
            for number, item in enumerate(page):
                yield [item]
                if until is None and number == 2 and not moved:
                    moved.append(1)
                    monkeypatch.setattr(reading, "pages", pages)
                    move()
                    monkeypatch.setattr(reading, "pages", slowly)
                    yield from pages(chain, after=3)
                    return

    monkeypatch.setattr(reading, "pages", slowly)
    assert problems(Depth.ENTRIES) == []
    assert moved


@requirement("D4", "D5")
def test_the_list_says_where_older_entries_are_and_each_is_found_by_its_place(old: None):
    auditor = Api(Role.AUDITOR)
    assert auditor.get("audit?limit=100").json()["archived"] is None
    move()
    told = auditor.get("audit?limit=100").json()
    assert told["archived"]["entries"] == 20
    assert told["archived"]["prefix"] == "archive/"
    assert auditor.get("audit?limit=2").json()["archived"] is None, "not on a page before the last"
    entry = services.find_entry(CHAIN, 3)
    assert entry is not None
    assert (entry.sequence, entry.file_id) == (3, "a-file")
    assert services.find_entry(CHAIN, 0) is None
    assert services.find_entry("008", 3) is None
    assert services.find_entry(CHAIN, 10**14) is None


@requirement("D5", "A9")
@pytest.mark.usefixtures("within_half_an_hour")
def test_a_job_archives_every_day_and_names_what_stays(old: None, monkeypatch: Any):
    sent: list[str] = []
    monkeypatch.setattr(tasks.archive, "apply_async", lambda args, **_: sent.append(args[0]))
    assert tasks.archive_daily(actor=SWEEPER) == 1
    tasks.archive(sent[0])
    job = jobs.find(sent[0], actor=TESTS)
    assert (job.state, job.done, job.results["named"]) == (JobState.SUCCEEDED, 20, [])
    assert tasks.archive_daily(actor=SWEEPER) == 0
    assert problems() == []


@requirement("D5", "A9")
def test_the_job_goes_on_in_the_next_message_and_fails_by_name(old: None, monkeypatch: Any):
    from apps.jobs.heartbeats import Work

    sent: list[str] = []
    monkeypatch.setattr(tasks.archive, "apply_async", lambda args, **_: sent.append(args[0]))
    tasks.archive_daily(actor=SWEEPER)
    monkeypatch.setattr(Work, "must_hand_over", property(lambda _: True))
    for turn in range(1, 7):
        tasks.archive(sent[0])
        assert len(sent) == turn + 1, "each message moved one slice"
    monkeypatch.setattr(Work, "must_hand_over", property(lambda _: False))
    tasks.archive(sent[0])
    job = jobs.find(sent[0], actor=TESTS)
    assert (job.state, job.done, in_table()[0]) == (JobState.SUCCEEDED, 20, 21)


@requirement("D5", "A9")
def test_a_chain_that_stays_is_named_by_the_job_that_fails(old: None, monkeypatch: Any):
    sent: list[str] = []
    monkeypatch.setattr(tasks.archive, "apply_async", lambda args, **_: sent.append(args[0]))
    EntryTable.get(CHAIN, 3).update([EntryTable.source_ip.set("192.0.2.7")])
    tasks.archive_daily(actor=SWEEPER)
    tasks.archive(sent[0])
    job = jobs.find(sent[0], actor=TESTS)
    assert (job.state, job.done) == (JobState.FAILED, 0)
    assert "chain 007: The chain does not verify up to checkpoint 1" in job.results["named"][0]


@requirement("D5")
def test_the_command_archives_and_says_how_many(old: None, settings: Any, capsys: Any):
    call_command("archive_audit")
    assert "20 entries were moved" in capsys.readouterr().out
    settings.AUDIT_ARCHIVE_DAYS = 0
    with pytest.raises(CommandError, match="AUDIT_ARCHIVE_DAYS is 0"):
        call_command("archive_audit")


@requirement("D5")
def test_the_object_is_json_lines_of_what_the_table_held(old: None, settings: Any):
    item = EntryTable.get(CHAIN, 1).serialize()
    move()
    content = (
        client("s3").get_object(Bucket=settings.CHECKPOINTS_BUCKET, Key=Block(CHAIN, 1).key)["Body"].read()
    )
    first = json.loads(content.split(b"\n")[0])
    assert first["hash"] == item["hash"]
    assert len(content.strip().split(b"\n")) == 10


@requirement("D5")
def test_the_newest_checkpoint_before_a_moment_is_found_also_between_gaps(
    aws: None, settings: Any, later: Any
):
    from datetime import timedelta

    from apps.audit import checkpoint_chain
    from apps.common import clock

    assert checkpoint_chain.newest_before(clock.now()) is None
    made = []
    for _ in range(5):
        write(1)
        made.append(checkpointing.make(actor=SWEEPER).checkpoint)
        later(hours=1)
    for place, one in enumerate(made):
        assert one is not None
        assert checkpoint_chain.newest_before(one.made_at) == one
        assert checkpoint_chain.newest_before(one.made_at - timedelta(seconds=1)) == (
            made[place - 1] if place else None
        )
    for number in (2, 3):
        [slot] = [slot for slot in bucket.slots() if slot.number == number]
        client("s3").delete_object(
            Bucket=settings.CHECKPOINTS_BUCKET,
            Key=slot.key,
            VersionId=slot.versions[0],
            BypassGovernanceRetention=True,
        )
    assert made[2] is not None
    assert checkpoint_chain.newest_before(made[2].made_at) == made[0]
