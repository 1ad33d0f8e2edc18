"""What must hold of every session."""

import json
from dataclasses import asdict

import numpy as np

from qkd.finite_key import OneDecoyCounts, lim2014_length, rusca2018_length, single_photon_length
from qkd.worst_case import devices_of


def check_ledger(result):
    """What must hold of every session, whatever happened (I7)."""
    compared, corrected = result.compared, result.corrected
    assert result.raw_length >= result.detected_length >= result.sifted_length
    assert result.sampled_length == compared.total
    kept = result.sifted_length - result.sampled_length
    assert result.corrected_length == corrected.total
    assert result.corrected_length in (0, kept - result.discarded_length)
    costs = {
        "leaked_bits": result.leaked_bits,
        "epsilon_sec": result.epsilon_sec,
        "epsilon_cor": result.epsilon_cor,
        "verification_bits": result.verification_bits,
        "discarded_bits": result.discarded_length,
        "devices": devices_of(result.plan.channel, result.raw_length),
    }
    if len(result.decoys) == 2:
        # Errors of discarded bits are not known by intensity here: all of them at either bounds the bound from below.
        counts = [
            OneDecoyCounts(**asdict(count), key_errors=errors)
            for count, errors in zip(result.decoys, result.key_errors or (0, 0), strict=True)
        ]
        assert sum(result.key_errors) == corrected.errors
        bound = rusca2018_length(counts, **costs)
        if result.discarded_length:
            bound = max(bound, result.bound_length)
    elif result.decoys:
        bound = lim2014_length(result.decoys, **costs)
    else:
        bound = single_photon_length(
            key_bits=kept - result.discarded_length,
            sample_bits=compared.total,
            errors=compared.errors,
            **costs,
        )
    assert result.bound_length in (0, bound)
    assert (result.key is None) == (result.aborted is not None)
    assert result.final_length == 0 or result.final_length >= result.key_length
    assert result.epsilon_total == result.epsilon_sec + result.epsilon_cor + result.epsilon_auth
    if result.key is not None:
        assert result.final_length + result.authentication_bits <= bound
        assert np.array_equal(result.key, result.bob_key)
        spent = result.leaked_bits + result.verification_bits + result.authentication_bits
        assert result.final_length + spent <= kept
    json.dumps(result.ledger(), allow_nan=False)
