"""Checkpoints: what a table writer cuts or sets back is found by what he cannot write."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.conf import settings
from django.core.management import CommandError, call_command

from apps.audit import bucket, checkpoint_chain, checkpointing, signers, writing
from apps.audit.checkpoints import Checkpoint, NotACheckpoint
from apps.audit.records import SWEEPER, system
from apps.audit.services import record
from apps.audit.store import EntryTable, HeadTable, SignerTable
from apps.audit.verification import Depth, verify
from apps.common.aws import client
from apps.files.trail import FileEvent
from tests import requirement

ACTOR = system("tests")


def write(count: int = 3) -> None:
    for _ in range(count):
        record(ACTOR, FileEvent.READ)


def checkpoint() -> Checkpoint:
    made = checkpointing.make(actor=SWEEPER)
    assert made.is_new
    assert made.problems == []
    assert made.checkpoint is not None
    return made.checkpoint


def used_chain() -> str:
    return str(next(iter(HeadTable.scan())).chain)


def remove(chain: str, *, after: int = 0) -> None:
    for row in list(EntryTable.query(chain, EntryTable.sequence > after)):
        row.delete()


def found() -> set[str]:
    return set(verify().all_problems())


@requirement("D5")
def test_a_checkpoint_names_all_chains_is_signed_and_chained(aws):
    write()
    first = checkpoint()
    write()
    second = checkpoint()
    assert (first.number, second.number) == (1, 2)
    assert second.signer == first.signer
    assert {chain: end.length for chain, end in first.ends.items()} == {used_chain(): 3}
    assert verify().whole
    assert verify().checkpoint == second


@requirement("D5")
def test_nothing_new_makes_no_new_checkpoint(aws):
    assert checkpointing.make(actor=SWEEPER).checkpoint is None
    write()
    first = checkpoint()
    assert checkpointing.make(actor=SWEEPER) == checkpointing.Made(first, False, [])


@requirement("D5")
def test_the_tail_that_no_checkpoint_covers_is_counted_and_said(aws, capsys):
    write()
    call_command("verify_audit")
    assert "There is no checkpoint yet" in capsys.readouterr().out
    checkpoint()
    write(2)
    call_command("verify_audit")
    assert "The 4 entries since then (0 minutes)" in capsys.readouterr().out, "the checkpoint's own two, too"


@requirement("D5", "I10")
def test_a_chain_deleted_with_its_head_is_named(aws):
    write()
    checkpoint()
    chain = used_chain()
    remove(chain)
    HeadTable.get(chain).delete()
    assert len(found()) == 1
    assert f"chain {chain}, entry 1: the chain ends here, but checkpoint 1 of" in found().pop()
    assert not verify(Depth.SINCE_CHECKPOINT).whole


@requirement("D5", "I10")
def test_a_chain_set_back_with_an_old_head_is_named(aws):
    write()
    chain = used_chain()
    old_head = HeadTable.get(chain)
    write()
    checkpoint()
    remove(chain, after=int(old_head.sequence))
    old_head.save()
    assert len(found()) == 1
    assert "it was cut, or set back" in found().pop()
    assert not verify(Depth.SINCE_CHECKPOINT).whole


@requirement("D5", "I10")
def test_a_chain_set_back_and_grown_again_is_named(aws):
    write()
    chain = used_chain()
    old_head = HeadTable.get(chain)
    write(1)
    checkpoint()
    remove(chain, after=int(old_head.sequence))
    old_head.save()
    writing.known_chains().heads.clear()
    write(9)
    assert any("it is another than checkpoint 1 of" in what for what in found())
    assert not verify(Depth.SINCE_CHECKPOINT).whole


@requirement("D5", "I10")
def test_fewer_chains_in_the_settings_skip_none(aws, settings):
    write()
    checkpoint()
    chain = used_chain()
    settings.AUDIT_CHAINS = 1
    assert verify().entries == 5
    row = EntryTable.get(chain, 2)
    row.update([EntryTable.actor.set("user:mallory")])
    assert any(f"chain {chain}, entry 2" in what for what in found())


@requirement("D5", "I10")
def test_a_damaged_chain_keeps_its_end_and_the_others_go_on(aws, caplog):
    write()
    before = checkpoint()
    write()
    chain = used_chain()
    EntryTable.get(chain, before.ends[chain].length + 1).update([EntryTable.actor.set("user:mallory")])
    made = checkpointing.make(actor=SWEEPER)
    assert made.problems
    assert made.checkpoint is not None
    assert made.checkpoint.ends[chain] == before.ends[chain]
    with pytest.raises(CommandError, match="damaged in"):
        call_command("checkpoint")


Harm = Callable[[], Any]


def _overwrite(number: int, content: bytes) -> Any:
    return client("s3").put_object(
        Bucket=settings.CHECKPOINTS_BUCKET, Key=bucket.key_of(number), Body=content
    )


def _delete(number: int) -> Any:
    return client("s3").delete_object(Bucket=settings.CHECKPOINTS_BUCKET, Key=bucket.key_of(number))


def _copy(source: int, number: int) -> Any:
    answer = client("s3").get_object(Bucket=settings.CHECKPOINTS_BUCKET, Key=bucket.key_of(source))
    return _overwrite(number, answer["Body"].read())


@requirement("D5", "I10")
@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (lambda: _delete(2), "checkpoint 2: a delete marker hides it"),
        (lambda: _overwrite(2, b"{}"), "checkpoint 2: it was written 2 times; the oldest counts"),
        (
            lambda: _overwrite(3, b"{}"),
            "checkpoint 3: the platform did not write what is there: it is malformed",
        ),
        (
            lambda: _copy(1, 3),
            "checkpoint 3: the platform did not write what is there: it is a copy of checkpoint 1",
        ),
        (lambda: _overwrite(4, b"[" * 10**5), "checkpoint 3: it is gone"),
    ],
)
def test_what_is_done_to_checkpoints_is_named_and_the_newest_still_counts(aws, harm: Harm, named: str):
    write()
    checkpoint()
    write()
    second = checkpoint()
    harm()
    assert named in found()
    assert verify().checkpoint == second
    assert verify(Depth.SINCE_CHECKPOINT).checkpoint == second
    write()
    assert checkpoint().number > second.number, "and the next one is made all the same"


@requirement("D5")
def test_a_locked_checkpoint_cannot_be_removed(aws):
    write()
    checkpoint()
    [slot] = bucket.slots()
    with pytest.raises(ClientError, match="AccessDenied"):
        client("s3").delete_object(
            Bucket=settings.CHECKPOINTS_BUCKET, Key=slot.key, VersionId=slot.versions[0]
        )


@requirement("D5")
def test_a_key_that_is_taken_is_not_written_over(aws):
    assert bucket.write(1, b"first")
    assert not bucket.write(1, b"second")


@requirement("D5")
@pytest.mark.parametrize("field", ["number", "made_at", "previous", "ends", "held", "public_key"])
def test_no_part_of_a_checkpoint_can_be_changed(aws, field: str):
    write()
    checkpoint()
    [slot] = bucket.slots()
    document = json.loads(bucket.read(slot, slot.versions[0], limit=10**6))
    other = {
        "number": 2,
        "made_at": "2000-01-01T00:00:00.000000Z",
        "previous": "0",
        "ends": {},
        "held": ["000"],
        "public_key": document["body"]["public_key"][:-8] + "AAAAAAA=",
    }
    document["body"][field] = other[field]
    with pytest.raises(NotACheckpoint):
        Checkpoint.of(json.dumps(document).encode(), number=2 if field == "number" else 1)


@requirement("D5", "I10")
def test_a_checkpoint_by_a_signer_of_the_table_writer_does_not_count(aws):
    write()
    checkpoint()
    write()
    row = next(iter(SignerTable.query("checkpoints")))
    stranger = SignerTable(**{**row.attribute_values, "signer_id": "f" * 32})
    stranger.save()
    assert len(signers.accepted()) == 1
    SignerTable.get("checkpoints", row.signer_id).delete()
    assert any("which does not count" in what for what in found())


@requirement("D5")
def test_another_root_key_makes_another_signer_and_both_count(aws, monkeypatch, tmp_path):
    from apps.common.root_keys import configured

    write()
    first = checkpoint()
    monkeypatch.setattr(settings, "ROOT_KEY", f"local:{tmp_path / 'root.key'}")
    configured.root_key.cache_clear()
    try:
        write()
        second = checkpoint()
    finally:
        monkeypatch.undo()
        configured.root_key.cache_clear()
    assert first.signer != second.signer
    assert verify().whole


@requirement("D5", "I1", "D2")
def test_no_checkpoint_without_its_entry(aws):
    write()
    made = checkpoint()
    write()
    EntryTable.delete_table()
    with pytest.raises(writing.AuditUnavailable):
        record(ACTOR, FileEvent.READ)
    with pytest.raises(ClientError):
        checkpointing.make(actor=SWEEPER)
    assert checkpoint_chain.look(whole=False).checkpoint == made


@requirement("D5", "I10")
def test_a_checkpoint_that_an_entry_announces_and_that_is_not_there_is_named(aws, later, monkeypatch):
    write()
    monkeypatch.setattr(bucket, "write", lambda *_: False)
    with pytest.raises(bucket.CheckpointsUnavailable):
        checkpointing.make(actor=SWEEPER)
    assert verify().whole, "it may be on its way"
    later(hours=1)
    assert any("an entry announces it, but it is not there" in what for what in found())


@requirement("D5")
def test_the_newest_of_many_is_found_by_few_listings(aws, monkeypatch):
    write()
    made = checkpoint()
    for number in range(2, 40):
        bucket.write(number, b"x" * 10)
    monkeypatch.setattr(checkpoint_chain, "WINDOW", 4)
    assert checkpoint_chain._window() in range(36, 40)
    assert checkpoint_chain.look(whole=False).checkpoint == made, (
        "where the window holds none, all are looked at"
    )


@requirement("D5", "E7")
def test_without_its_bucket_nothing_is_said_to_be_whole(aws, monkeypatch):
    monkeypatch.setattr(settings, "CHECKPOINTS_BUCKET", "not-there")
    with pytest.raises(bucket.CheckpointsUnavailable, match="not-there"):
        verify()
