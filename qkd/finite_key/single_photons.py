"""Single photons: Tomamichel, Lim, Gisin, Renner 2012."""

import math

from qkd.bits import as_integer, as_number
from qkd.finite_key.devices import IDEAL, Devices
from qkd.finite_key.entropy import binary_entropy
from qkd.finite_key.sampling import most_errors

DEFAULT_EPSILON_SEC = 1e-10
"""Secrecy: distance of the key from one that is uniform and unknown to Eve."""


def phase_error_margin(key_bits: int, sample_bits: int, epsilon_sec: float) -> float:
    """Return how far the phase error rate of the key bits may exceed the error rate of the sample.

    mu = sqrt((n + k)/(n k) * (k + 1)/k * ln(4/eps_sec)): Serfling's inequality for sampling without replacement.

    Source: Tomamichel, Lim, Gisin, Renner, Nature Communications 3, 634 (2012), equation 2.
    """
    n, k = key_bits, sample_bits
    return math.sqrt((n + k) / (n * k) * (k + 1) / k * math.log(4 / epsilon_sec))


def tomamichel2012_length(
    *,
    key_bits: int,
    sample_bits: int,
    qber: float,
    leaked_bits: int,
    epsilon_sec: float = DEFAULT_EPSILON_SEC,
    epsilon_cor: float = 1e-15,
    verification_bits: int = 0,
    discarded_bits: int = 0,
) -> int:
    """Return the secret bits of a single-photon BB84 session.

    l = floor(n (1 - h(Q + mu)) - leak_EC - log2(2 / (eps_sec^2 eps_cor))).

    The sample is a uniformly random part of bits whose bases were chosen uniformly, or all of the bits of the basis
    that does not make the key. The published protocol fixes the tolerated Q in advance; here the length is fixed in
    advance and the session is accepted where this bound at the observed Q and leak reaches it, which is the same
    all-or-nothing protocol with a larger accepting set: Serfling's bound is on the difference to the observed rate.

    Args:
        key_bits: n, bits that make the key, >= 0.
        sample_bits: k, bits compared and discarded, >= 0.
        qber: error rate of the sample, [0, 1].
        leaked_bits: parities disclosed, >= 0.
        epsilon_sec: secrecy, (0, 1).
        epsilon_cor: correctness, (0, 1).
        verification_bits: tag bits disclosed, >= 0; charged where they exceed the published log2(2/eps_cor).
        discarded_bits: bits of frames that failed verification, not among ``key_bits``, >= 0. All phase errors are
            taken to be in what is left, since which frames fail is not independent of the errors.

    Returns:
        Length in bits, at least 0; 0 where nothing was sampled or nothing is left.

    Raises:
        ValueError: an argument outside its range.

    Source: Tomamichel, Lim, Gisin, Renner, Nature Communications 3, 634 (2012), equation 1, with preparation
    quality q = 1; for samples of both bases Tomamichel & Leverrier, Quantum 1, 14 (2017).
    """
    as_number("qber", qber, 0, 1)
    _check(key_bits, sample_bits, leaked_bits, verification_bits, discarded_bits, epsilon_sec, epsilon_cor)
    if not key_bits or not sample_bits:
        return 0
    whole = key_bits + discarded_bits
    phase_errors = (qber + phase_error_margin(whole, sample_bits, epsilon_sec)) * whole
    return _length(key_bits, phase_errors, leaked_bits, verification_bits, epsilon_sec, epsilon_cor)


def single_photon_length(
    *,
    key_bits: int,
    sample_bits: int,
    errors: int,
    leaked_bits: int,
    epsilon_sec: float = DEFAULT_EPSILON_SEC,
    epsilon_cor: float = 1e-15,
    verification_bits: int = 0,
    discarded_bits: int = 0,
    devices: Devices = IDEAL,
) -> int:
    """Return the secret bits of a single-photon BB84 session, with the exact tail of the sampling.

    As ``tomamichel2012_length``, whose arguments and errors it has, but for the phase errors: Serfling's inequality,
    with which the probability (eps_sec/4)^2 is met there, bounds a hypergeometric tail, and here the tail itself is
    inverted at the same probability. The proof uses nothing else of the inequality, so the rest of it stands.

    With devices that are not ideal, clicks that are not clean count as known to Eve, and no error of the sample is taken
    to be theirs. All tails share the probability.

    Args:
        key_bits: n.
        sample_bits: k.
        errors: among these, up to ``sample_bits``.
        leaked_bits: parities disclosed.
        epsilon_sec: secrecy.
        epsilon_cor: correctness.
        verification_bits: tag bits disclosed.
        discarded_bits: bits of frames that failed verification.
        devices: what is known of Alice's source and Bob's detectors.
    """
    as_integer("errors", errors, 0, sample_bits)
    _check(key_bits, sample_bits, leaked_bits, verification_bits, discarded_bits, epsilon_sec, epsilon_cor)
    if not key_bits or not sample_bits:
        return 0
    share = (epsilon_sec / 4) ** 2 / (1 + devices.tails)
    whole = key_bits + discarded_bits
    clean = int(devices.ideally_seen(whole, share)) - devices.tagged_of_key(share) - discarded_bits
    sample = int(devices.ideally_seen(sample_bits, share)) - devices.tagged_of_sample(share)
    if clean <= 0 or sample <= 0:
        return 0
    phase_errors = most_errors(sample=sample, rest=whole, seen=min(errors, sample), epsilon=share)
    return _length(clean, phase_errors, leaked_bits, verification_bits, epsilon_sec, epsilon_cor)


def _check(
    key_bits: int,
    sample_bits: int,
    leaked_bits: int,
    verification_bits: int,
    discarded_bits: int,
    epsilon_sec: float,
    epsilon_cor: float,
) -> None:
    counts = {
        "key_bits": key_bits,
        "sample_bits": sample_bits,
        "leaked_bits": leaked_bits,
        "verification_bits": verification_bits,
        "discarded_bits": discarded_bits,
    }
    for name, count in counts.items():
        as_integer(name, count, 0, 2**62)
    as_number("epsilon_sec", epsilon_sec, 0, 1, open_low=True)
    as_number("epsilon_cor", epsilon_cor, 0, 1, open_low=True)


def _length(
    key_bits: int,
    phase_errors: float,
    leaked_bits: int,
    verification_bits: int,
    epsilon_sec: float,
    epsilon_cor: float,
) -> int:
    if phase_errors >= key_bits / 2:
        return 0
    correctness = max(verification_bits, math.log2(2 / epsilon_cor))
    entropy = key_bits * (1 - binary_entropy(phase_errors / key_bits))
    return max(0, math.floor(entropy - leaked_bits - 2 * math.log2(1 / epsilon_sec) - correctness))
