"""The write-ahead log of the embedded AWS: what was appended is there, damage is seen."""

from pathlib import Path

import pytest

from apps.stack.embedded.journal import DamagedJournal, Journal
from tests import requirement


def journal(folder: Path, *entries: list[object]) -> Journal:
    made = Journal(folder)
    made.open()
    for entry in entries:
        made.append(entry)
    made.close()
    return made


def read(folder: Path) -> list[tuple[int, list[object]]]:
    return list(Journal(folder).entries())


def test_entries_come_back_in_order_over_generations(tmp_path):
    journal(tmp_path, ["a", 1], ["b", "ü\n"])
    journal(tmp_path, ["c"])
    assert read(tmp_path) == [(1, ["a", 1]), (1, ["b", "ü\n"]), (2, ["c"])]


@requirement("G1")
@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_torn_last_line_is_left_out(tmp_path, cut):
    journal(tmp_path, ["kept"], ["torn away"])
    path = tmp_path / "journal-0000000001.log"
    path.write_bytes(path.read_bytes()[:-cut])
    journal(tmp_path, ["later"])
    expected = [(1, ["kept"]), (2, ["later"])]
    assert read(tmp_path) == (expected if cut > 1 else [expected[0], (1, ["torn away"]), expected[1]])


def test_damage_before_the_end_is_an_error(tmp_path):
    journal(tmp_path, ["first"], ["second"])
    path = tmp_path / "journal-0000000001.log"
    path.write_bytes(path.read_bytes().replace(b"first", b"fIrst"))
    with pytest.raises(DamagedJournal, match="line 1"):
        read(tmp_path)


def test_what_a_snapshot_covers_is_forgotten(tmp_path):
    journal(tmp_path, ["old"])
    kept = journal(tmp_path, ["new"])
    kept.forget(1)
    assert read(tmp_path) == [(2, ["new"])]


def test_a_generation_is_never_used_twice(tmp_path):
    made = Journal(tmp_path)
    made.open(after=7)
    assert made.generation == 8
    made.close()


def test_nothing_is_written_before_it_is_open(tmp_path):
    with pytest.raises(RuntimeError):
        Journal(tmp_path).append(["lost"])


@requirement("G1")
def test_a_log_that_cannot_be_written_ends_the_process(tmp_path, monkeypatch, capsys):
    """Else what it did not keep would be acknowledged."""

    class Ended(Exception):
        pass

    class Full:
        def write(self, _data):
            raise OSError(28, "No space left on device")

    def ended(code):
        raise Ended(code)

    monkeypatch.setattr("os._exit", ended)
    made = Journal(tmp_path)
    monkeypatch.setattr(made, "_file", Full())
    with pytest.raises(Ended, match="74"):
        made.append(["lost"])
    assert "No space left" in capsys.readouterr().err
