"""Bits that look random pass, and what a broken generator makes does not (NIST SP 800-22)."""

import itertools
import random

import pytest

from apps.sessions import randomness
from tests import requirement


@requirement("E10")
def test_the_examples_of_the_standard():
    """SP 800-22, 2.1.8 and 2.3.8: 100 bits of pi; padded by none, so of 96 and 104 bits alike the formula holds."""
    pi = int(
        "11001001000011111101101010100010001000010110100011000010001101001100010011000110011000101000101110001",
        2,
    )
    bits = (pi >> 5).to_bytes(12)
    ones = (pi >> 5).bit_count()
    from math import erfc, sqrt

    assert randomness.ones(bits) == pytest.approx(erfc(abs(2 * ones - 96) / sqrt(2 * 96)))
    text = f"{pi >> 5:096b}"
    changes = 1 + sum(a != b for a, b in itertools.pairwise(text))
    share = ones / 96
    expected = erfc(abs(changes - 2 * 96 * share * (1 - share)) / (2 * sqrt(2 * 96) * share * (1 - share)))
    assert randomness.runs(bits) == pytest.approx(expected)


@requirement("E10")
@pytest.mark.parametrize("size", [32, 256, 1280, 10_000])
def test_random_bits_pass(size):
    drawn = random.Random(size)
    for _ in range(50):
        assert min(randomness.p_values(drawn.randbytes(size)).values()) > 1e-9


@requirement("E10")
@pytest.mark.parametrize(
    ("bits", "test"),
    [
        (b"\x00" * 512, "ones"),
        (b"\x0f" * 256 + b"\x11" * 256, "ones"),
        (b"\x55" * 512, "runs"),
        (b"\xff\x00" * 256, "runs"),
        (b"\x00" * 256 + b"\xff" * 256, "blocks"),
    ],
    ids=["zeros", "too few ones", "alternating", "bytes of one value", "halves"],
)
def test_what_is_not_random_is_found(bits, test):
    assert randomness.p_values(bits)[test] < 1e-9


@requirement("E10")
def test_p_values_of_random_bits_are_spread_evenly():
    drawn = random.Random(22)
    found = [randomness.p_values(drawn.randbytes(1280)) for _ in range(300)]
    for name in ("ones", "runs", "blocks"):
        low = sum(one[name] < 0.25 for one in found)
        assert 25 < low < 125, "75 are expected; five standard deviations are 37"
