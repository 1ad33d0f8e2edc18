"""What must hold of every session."""

import json

import numpy as np

from qkd.finite_key import lim2014_length, tomamichel2012_length


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
    }
    if result.decoys:
        bound = lim2014_length(result.decoys, **costs)
    else:
        bound = tomamichel2012_length(
            key_bits=kept - result.discarded_length,
            sample_bits=compared.total,
            qber=compared.qber,
            **costs,
        )
    assert result.bound_length in (0, bound)
    assert (result.key is None) == (result.aborted is not None)
    assert result.final_length in (0, result.key_length)
    assert result.final_length + result.authentication_bits <= bound
    if result.key is not None:
        assert np.array_equal(result.key, result.bob_key)
        spent = result.leaked_bits + result.verification_bits + result.authentication_bits
        assert result.final_length + spent <= kept
    json.dumps(result.ledger(), allow_nan=False)
