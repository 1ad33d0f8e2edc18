"""Damaged files: a sentence that names the file, and nothing overwritten."""

import os
import shutil
import signal

import pytest

from tests import requirement
from tests.running import Run
from tests.stack.conftest import Stack
from tests.stack.test_durability import make_table


def damage(path, how):
    content = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "cut": content[:-20], "text": b"not what it was\n" * 300, "list": b"[]"}[how]
    )
    return path.read_bytes()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The state of an embedded AWS that ran and was stopped, to be copied: a start takes longer than these tests."""
    made = Stack(tmp_path_factory.mktemp("kept") / "aws")
    make_table(made)
    made.client("s3").create_bucket(Bucket="kept")
    made.client("sqs").create_queue(QueueName="kept")
    assert made.stop() == 0
    return made.state_dir


@requirement("G1")
@pytest.mark.parametrize("how", ["empty", "cut", "text", "list"])
@pytest.mark.parametrize("name", ["dynamodb.json", "s3.json", "sqs.json"])
def test_a_damaged_snapshot_is_named_and_kept(kept, tmp_path, name, how, capfd):
    state_dir = tmp_path / "aws"
    shutil.copytree(kept, state_dir)
    left = damage(state_dir / name, how)
    others = {p.name: p.read_bytes() for p in state_dir.glob("*.json") if p.name != name}
    assert others
    capfd.readouterr()
    with pytest.raises(RuntimeError, match="exit code 2"):
        Stack(state_dir)
    said = capfd.readouterr().err
    assert said.splitlines()[-1].startswith(f"CRITICAL {state_dir / name} is damaged. Nothing was changed.")
    assert (state_dir / name).read_bytes() == left
    assert {p.name: p.read_bytes() for p in state_dir.glob("*.json") if p.name != name} == others


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A platform that ran and was stopped."""
    made = tmp_path_factory.mktemp("damaged") / "local"
    first = Run(made)
    first.ready()
    first.process.send_signal(signal.SIGTERM)
    assert first.ended() == 0
    first.close()
    return made


@pytest.mark.e2e
@requirement("G1", "F1")
@pytest.mark.parametrize(
    "name",
    ["root.key", "console.sqlite3", "secrets.json", "aws/s3.json", "aws/dynamodb.json", "aws/sqs.json"],
)
def test_a_start_on_a_damaged_file_says_so_in_a_sentence(folder, name):
    path = folder / name
    whole, mode = path.read_bytes(), path.stat().st_mode
    left = damage(path, "text")
    try:
        refused = Run(folder)
        assert refused.ended() == 2
        refused.close()
        assert path.read_bytes() == left
    finally:
        path.write_bytes(whole)
        path.chmod(mode)
    assert "Traceback" not in refused.said
    (sentence,) = [line for line in refused.said.splitlines() if line.startswith("Cannot start: ")]
    assert str(path) in sentence
    assert os.linesep not in sentence
