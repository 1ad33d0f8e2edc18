"""The names that callers check input by are those of the engine."""

from qkd import vocabulary
from qkd.attacks import KINDS
from tests import requirement


@requirement("B2")
def test_the_kinds_of_eavesdroppers_are_those_that_the_engine_knows():
    assert vocabulary.KINDS == KINDS
