"""Bit strings at the package's surface, and the checks of arguments that all modules share."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
"""One-dimensional array of 0 and 1, one bit per byte."""


def as_bits(name: str, value: NDArray[Any] | Sequence[int]) -> Bits:
    """Check a bit string and return it as ``uint8``.

    Raises:
        ValueError: not one-dimensional, not integers or booleans, or holding anything but 0 and 1.
    """
    array = np.asarray(value)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, not of shape {array.shape}")
    if array.size == 0:
        return np.zeros(0, np.uint8)
    signed = array.dtype.kind == "i"
    if array.dtype.kind not in "biu" or int(array.max()) > 1 or (signed and int(array.min()) < 0):
        raise ValueError(f"{name} must hold only 0 and 1")
    return array.astype(np.uint8, copy=False)


def to_integer(bits: Bits) -> int:
    """Return the integer whose bit ``i`` is ``bits[i]`` (least significant first)."""
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def from_integer(value: int, length: int) -> Bits:
    """Return the ``length`` lowest bits of a non-negative integer, least significant first."""
    packed = np.frombuffer(value.to_bytes((value.bit_length() + 7) // 8 or 1, "little"), np.uint8)
    bits = np.unpackbits(packed, bitorder="little")[:length]
    return np.concatenate((bits, np.zeros(length - bits.size, np.uint8)))


def as_number(name: str, value: object, low: float, high: float, *, open_low: bool = False) -> float:
    """Check a finite real number in ``[low, high]`` (``(low, high]`` with ``open_low``) and return it.

    Raises:
        ValueError: anything else, booleans and NaN included; the message names the parameter and its range.
    """
    allowed = f"{name} must be a number in {'(' if open_low else '['}{low:g}, {high:g}]"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ValueError(f"{allowed}, not {type(value).__name__}")  # noqa: TRY004 - one error type for bad input
    number = float(value)
    if math.isnan(number) or not low <= number <= high or (open_low and number == low):
        raise ValueError(f"{allowed}, not {number!r}")
    return number


def as_integer(name: str, value: object, low: int, high: int) -> int:
    """Check an integer in ``[low, high]`` and return it.

    Raises:
        ValueError: anything else, booleans included; the message names the parameter and its range.
    """
    allowed = f"{name} must be an integer in [{low}, {high}]"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{allowed}, not {type(value).__name__}")  # noqa: TRY004 - one error type for bad input
    if not low <= value <= high:
        raise ValueError(f"{allowed}, not {value!r}")
    return int(value)
