"""Privacy amplification is the family it says, exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkd.amplification import amplify, seed_size
from tests import requirement


@requirement("A4")
@given(bits=st.lists(st.integers(0, 1), min_size=1, max_size=300), data=st.data())
def test_it_is_multiply_add_shift(bits, data):
    final = data.draw(st.integers(0, len(bits)))
    seed = data.draw(st.binary(min_size=seed_size(len(bits), final), max_size=seed_size(len(bits), final)))
    x = sum(bit << i for i, bit in enumerate(bits))
    half, width = len(seed) // 2, len(bits) + final
    a, b = int.from_bytes(seed[:half], "little"), int.from_bytes(seed[half:], "little")
    expected = ((a * x + b) % 2**width) >> (width - final)
    found = amplify(np.array(bits, np.uint8), final, seed=seed)
    assert found.dtype == np.uint8
    assert found.shape == (final,)
    assert sum(int(bit) << i for i, bit in enumerate(found)) == expected


@requirement("A4")
@pytest.mark.parametrize(("length", "final"), [(10**5, 10**5), (333_333, 100_001), (10**6, 600_000)])
def test_long_strings_are_amplified_exactly(length, final):
    rng = np.random.default_rng(length)
    bits, seed = rng.integers(0, 2, length, dtype=np.uint8), rng.bytes(seed_size(length, final))
    half, width = len(seed) // 2, length + final
    # Python's own integers, which share nothing with the library that multiplies in the engine.
    x = int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")
    a, b = int.from_bytes(seed[:half], "little"), int.from_bytes(seed[half:], "little")
    expected = ((a * x + b) & ((1 << width) - 1)) >> (width - final)
    found = np.packbits(amplify(bits, final, seed=seed), bitorder="little").tobytes()
    assert found == expected.to_bytes((final + 7) // 8, "little")


@requirement("A4")
def test_it_is_the_plain_matrix_over_the_integers_bit_by_bit():
    # Schoolbook: every product of two bits is added where it belongs, and carried by hand.
    rng = np.random.default_rng(2)
    bits, final = rng.integers(0, 2, 60, dtype=np.uint8), 40
    seed = rng.bytes(seed_size(60, final))
    half, width = len(seed) // 2, 100
    a, b = (
        np.unpackbits(np.frombuffer(part, np.uint8), bitorder="little") for part in (seed[:half], seed[half:])
    )
    columns = [
        int(b[k]) + sum(int(a[k - i]) * int(bits[i]) for i in range(min(k + 1, 60))) for k in range(width)
    ]
    carry, total = 0, []
    for column in columns:
        carry += column
        total.append(carry & 1)
        carry >>= 1
    assert amplify(bits, final, seed=seed).tolist() == total[width - final :]


@requirement("A4")
def test_the_family_is_strongly_universal_on_a_small_case():
    # All seeds of h: 3 bits -> 2 bits (w = n + m = 5): every pair of inputs gives every pair of outputs equally often.
    n, m, w = 3, 2, 5
    for x, y in [(0, 1), (3, 5), (6, 7)]:
        counts = np.zeros((4, 4), int)
        for a in range(2**w):
            for b in range(2**w):
                counts[((a * x + b) % 2**w) >> (w - m), ((a * y + b) % 2**w) >> (w - m)] += 1
        assert counts.min() == counts.max()
    assert n + m == w


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
