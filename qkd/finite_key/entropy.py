"""Binary entropy."""

import math


def binary_entropy(probability: float) -> float:
    """Return h(p) in bits, p in [0, 1]."""
    if probability in (0, 1):
        return 0.0
    return -probability * math.log2(probability) - (1 - probability) * math.log2(1 - probability)
