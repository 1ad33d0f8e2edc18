"""Writers of the trail come to chains of their own, and the stages' settings fit what is asked of them."""

import tomllib
from collections import Counter
from typing import Any

import pytest

from apps.audit import writing
from apps.audit.records import system
from apps.audit.services import record
from apps.audit.verification import verify
from apps.files.trail import FileEvent
from apps.stack.configuration import ROOT
from benchmarks import model
from tests import requirement

ACTOR = system("tests")


class Processes:
    """Several processes, each with its view of the chains; all prefer the same one at first."""

    def __init__(self, count: int, chains: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.views = [writing.Chains() for _ in range(count)]
        for view in self.views:
            view.names = list(chains)
        self.now = self.views[0]
        self.tries: Counter[str] = Counter()
        self.used: list[set[str]] = [set() for _ in self.views]
        write = writing._write

        def counted(tx: Any, sequence: int, entries: Any) -> None:
            self.tries["all"] += 1
            write(tx, sequence, entries)
            self.used[self.views.index(self.now)].add(entries[0].chain)

        monkeypatch.setattr(writing, "known_chains", lambda: self.now)
        monkeypatch.setattr(writing, "_write", counted)

    def record(self) -> int:
        """Have each write an entry; return how many tries were lost."""
        before = self.tries["all"]
        for view in self.views:
            self.now = view
            record(ACTOR, FileEvent.READ)
        return self.tries["all"] - before - len(self.views)


@requirement("D1", "E4")
def test_processes_that_meet_on_a_chain_part_there(aws, monkeypatch):
    """Each remembers the head as it left it. Before, two on one chain lost a try with every entry, for good."""
    processes = Processes(4, ["000", "001", "002", "003"], monkeypatch)
    assert processes.record() == 0, "nobody knows a head yet"
    assert processes.record() > 0, "each finds that the others moved it"
    lost = [processes.record() for _ in range(8)]
    assert lost[-3:] == [0, 0, 0], lost
    for used in processes.used:
        used.clear()
    processes.record()
    assert len(set.union(*processes.used)) == 4, "each has a chain of its own"
    assert verify().whole


@requirement("D1")
def test_processes_with_one_chain_share_it(aws, monkeypatch):
    processes = Processes(3, ["000"], monkeypatch)
    for _ in range(3):
        processes.record()
    found = verify()
    assert (found.whole, found.entries) == (True, 9)


@requirement("D1", "G1")
def test_each_stage_has_chains_and_shards_for_its_rate():
    told = tomllib.loads((ROOT / "infra" / "stages.toml").read_text())
    chosen = {name: told[name].get("variables", {}) for name in ("staging", "production")}
    for name, rate in (("staging", 200), ("production", 1_000)):
        stage = model.Stage(
            int(chosen[name].get("AUDIT_CHAINS", 16)), int(chosen[name].get("FEED_SHARDS", 1))
        )
        worst = model.limits(rate, stage)[0]
        assert worst.used <= 0.5, (name, worst)
