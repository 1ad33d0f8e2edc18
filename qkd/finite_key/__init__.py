"""Lengths of the secret key that published finite-key bounds allow.

What is assumed: Alice's source emits the BB84 states without side channels, Bob's detection probability does not
depend on his basis and his measurement acts as one on a qubit (squashing), the classical channel is authenticated.
Both bounds hold against general (coherent) attacks.

What Cascade's requests tell: Bob's questions reveal where his bits differ from Alice's. Announcing all of these
positions commutes with the phase errors that the bounds limit, so the bounds stand with Alice's parities alone as
the leak (Tupkary & Lütkenhaus, *Using Cascade in quantum key distribution*, Phys. Rev. Applied 20, 064040 (2023)).
"""

from qkd.finite_key.decoy_states import (
    DecoyCounts,
    SinglePhotons,
    lim2014_balance,
    lim2014_bounds,
    lim2014_length,
)
from qkd.finite_key.devices import IDEAL, Devices
from qkd.finite_key.entropy import binary_entropy
from qkd.finite_key.one_decoy import OneDecoyCounts, rusca2018_bounds, rusca2018_length
from qkd.finite_key.single_photons import (
    DEFAULT_EPSILON_SEC,
    phase_error_margin,
    single_photon_length,
    tomamichel2012_length,
)

__all__ = [
    "DEFAULT_EPSILON_SEC",
    "IDEAL",
    "DecoyCounts",
    "Devices",
    "OneDecoyCounts",
    "SinglePhotons",
    "binary_entropy",
    "lim2014_balance",
    "lim2014_bounds",
    "lim2014_length",
    "phase_error_margin",
    "rusca2018_bounds",
    "rusca2018_length",
    "single_photon_length",
    "tomamichel2012_length",
]
