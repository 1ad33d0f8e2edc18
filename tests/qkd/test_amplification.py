"""Privacy amplification is the family it says, exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkd.amplification import amplify, seed_size
from tests import requirement


def the_two_numbers(seed, length, final):
    """Factor and summand of a seed, by Python's own integers, which share nothing with the library of the engine."""
    size = (length + 7) // 8
    factor = int.from_bytes(seed[:size], "little") | 1
    return factor, int.from_bytes(seed[size:], "little") % 2 ** (length - final)


@requirement("A4")
@given(bits=st.lists(st.integers(0, 1), min_size=1, max_size=300), data=st.data())
def test_it_is_multiply_shift_with_an_odd_factor(bits, data):
    length, final = len(bits), data.draw(st.integers(0, len(bits)))
    seed = data.draw(st.binary(min_size=seed_size(length, final), max_size=seed_size(length, final)))
    x = sum(bit << i for i, bit in enumerate(bits))
    a, b = the_two_numbers(seed, length, final)
    expected = ((a * x + b) % 2**length) >> (length - final)
    found = amplify(np.array(bits, np.uint8), final, seed=seed)
    assert found.dtype == np.uint8
    assert found.shape == (final,)
    assert sum(int(bit) << i for i, bit in enumerate(found)) == expected


@requirement("A4")
@pytest.mark.parametrize(("length", "final"), [(10**5, 10**5), (333_333, 100_001), (10**6, 600_000)])
def test_long_strings_are_amplified_exactly(length, final):
    rng = np.random.default_rng(length)
    bits, seed = rng.integers(0, 2, length, dtype=np.uint8), rng.bytes(seed_size(length, final))
    x = int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")
    a, b = the_two_numbers(seed, length, final)
    expected = ((a * x + b) & ((1 << length) - 1)) >> (length - final)
    found = np.packbits(amplify(bits, final, seed=seed), bitorder="little").tobytes()
    assert found == expected.to_bytes((final + 7) // 8, "little")


@requirement("A4")
@pytest.mark.parametrize("summand", [0, 2**20 - 1])
def test_a_carry_out_of_the_dropped_bits_is_not_lost(summand):
    # The factor is 1, so the dropped bits of the product are those of the string itself: all ones.
    bits = np.ones(60, np.uint8)
    bits[20:40] = 0
    found = amplify(bits, 40, seed=(1).to_bytes(8, "little") + summand.to_bytes(3, "little"))
    expected = ((2**60 - 2**40 + 2**20 - 1 + summand) >> 20) % 2**40
    assert sum(int(bit) << i for i, bit in enumerate(found)) == expected


@requirement("A4")
def test_it_is_the_plain_matrix_over_the_integers_bit_by_bit():
    # Schoolbook: every product of two bits is added where it belongs, and carried by hand.
    rng = np.random.default_rng(2)
    bits, final = rng.integers(0, 2, 60, dtype=np.uint8), 40
    seed = rng.bytes(seed_size(60, final))
    a, b = (np.unpackbits(np.frombuffer(part, np.uint8), bitorder="little") for part in (seed[:8], seed[8:]))
    a[0] = 1
    b = np.concatenate((b[: 60 - final], np.zeros(final, np.uint8)))
    columns = [int(b[k]) + sum(int(a[k - i]) * int(bits[i]) for i in range(k + 1)) for k in range(60)]
    carry, total = 0, []
    for column in columns:
        carry += column
        total.append(carry & 1)
        carry >>= 1
    assert amplify(bits, final, seed=seed).tolist() == total[60 - final :]


@requirement("A4")
@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 2), (4, 1), (5, 2), (5, 5), (6, 3)])
def test_the_family_is_universal_at_small_sizes(n, m):
    # All seeds, and every pair of strings: no pair has the same hash under more than one seed in 2^m.
    strings = np.arange(2**n)
    met = np.zeros((2**n, 2**n), int)
    for a in range(1, 2**n, 2):
        for b in range(2 ** (n - m)):
            hashed = ((a * strings + b) % 2**n) >> (n - m)
            met += hashed[:, None] == hashed[None, :]
    seeds = 2 ** (n - 1) * 2 ** (n - m)
    assert seeds == met[0, 0]
    assert met[~np.eye(2**n, dtype=bool)].max() * 2**m <= seeds


@requirement("A4")
def test_an_integer_seed_is_reproducible():
    bits = np.random.default_rng(1).integers(0, 2, 1000, dtype=np.uint8)
    assert np.array_equal(amplify(bits, 100, seed=7), amplify(bits, 100, seed=7))
    assert not np.array_equal(amplify(bits, 100, seed=7), amplify(bits, 100, seed=8))


@requirement("A4")
def test_one_flipped_bit_changes_about_half_of_the_output():
    bits = np.random.default_rng(1).integers(0, 2, 20_000, dtype=np.uint8)
    flipped = bits.copy()
    flipped[77] ^= 1
    changed = np.count_nonzero(amplify(bits, 8000, seed=7) != amplify(flipped, 8000, seed=7))
    assert changed == pytest.approx(4000, abs=5 * 45)


@requirement("A4")
@pytest.mark.parametrize(
    ("bits", "final", "seed", "name"),
    [
        ([], 0, 1, "bits"),
        ([0, 1, 2], 1, 1, "bits"),
        ([0, 1], 3, 1, "final_length"),
        ([0, 1], -1, 1, "final_length"),
        ([0, 1], True, 1, "final_length"),
        ([0, 1], 1, b"", "seed"),
        ([0, 1], 1, -1, "seed"),
    ],
)
def test_bad_input_is_refused_by_name(bits, final, seed, name):
    with pytest.raises(ValueError, match=name):
        amplify(bits, final, seed=seed)
