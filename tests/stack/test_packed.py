"""Packed items are what a mapping of items is, and a snapshot gives them back as they were."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from apps.stack.embedded.packed import Rows
from tests import requirement

SORTS = st.sampled_from(["__no_sort__", "1", "2", "a\tb", 'quoted "\\ ä'])
ITEMS = st.dictionaries(st.text(max_size=5), st.fixed_dictionaries({"S": st.text(max_size=20)}), max_size=3)


class AsAMapping(RuleBasedStateMachine):
    """A partition of packed items beside a plain one."""

    def __init__(self):
        super().__init__()
        self.packed, self.plain = Rows(), {}

    @rule(sort=SORTS, item=ITEMS)
    def put(self, sort, item):
        self.packed[sort] = self.plain[sort] = item

    @rule(sort=SORTS)
    def remove(self, sort):
        assert self.packed.pop(sort, None) == self.plain.pop(sort, None)

    @rule(sort=SORTS)
    def remove_what_may_not_be_there(self, sort):
        if sort in self.plain:
            del self.packed[sort], self.plain[sort]
        else:
            with pytest.raises(KeyError):
                del self.packed[sort]

    @rule(sort=SORTS)
    def change_what_was_read(self, sort):
        if sort in self.plain:
            self.packed[sort]["changed"] = {"S": "elsewhere"}

    @invariant()
    def they_are_alike(self):
        assert dict(self.packed.items()) == self.plain
        assert list(self.packed) == list(self.plain)
        assert self.packed.values() == list(self.plain.values())
        assert (len(self.packed), bool(self.packed)) == (len(self.plain), bool(self.plain))
        for sort in ("__no_sort__", "1", "2", "none"):
            assert (sort in self.packed) == (sort in self.plain)
            assert self.packed.get(sort, "nothing") == self.plain.get(sort, "nothing")


TestAsAMapping = AsAMapping.TestCase


@requirement("G1")
@given(partition=st.text(max_size=10), items=st.dictionaries(SORTS, ITEMS, max_size=4))
def test_a_line_has_all_of_an_item(partition, items):
    found = {}
    for line in Rows.of(items).as_lines(partition):
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
        own, sort, packed = line.split(b"\t")
        assert json.loads(own) == partition
        found[json.loads(sort)] = json.loads(packed)
    assert found == items
