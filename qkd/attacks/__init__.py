"""Eavesdroppers. Each says what it does to the pulses, what Bob sees of it, and what Eve learns.

Only clicks are simulated (``qkd.photons``), so an attack has two parts: with which probability a pulse of n photons
is detected (``detection``), and what happens to the photons of the pulses that Bob will click on (``intercept``).
Eve is taken to hide in the click rate as well as her method allows.

| kind | QBER | clicks | Eve learns, of an attacked sifted bit | caught by |
|---|---|---|---|---|
| intercept_resend | + fraction/4 | unchanged | all of every second bit | QBER |
| breidbart | + fraction/4 | unchanged | 0.399 bit: she guesses 85.4 % | QBER |
| photon_number_splitting | unchanged | signal kept, decoys changed | all, if it had two photons | decoy states |
| beam_splitting | unchanged | unchanged | all, if a photon was lost to her | the key length: it is tolerated loss |
| detector_blinding | falls | unchanged above 3 dB | everything | a monitor of the detectors' current; not statistics |
| noise | + fraction/2 | unchanged | nothing | QBER: noise is not told from Eve |

Attacks add up (``qkd.attacks.model``): ``InterceptResend(0.1) + BeamSplitting()``, or in words
``attack("intercept-resend:0.1+beam-splitting")``. What must come of it is worked out by ``expectation``.
"""

from qkd.attacks.flight import Flight, Interception
from qkd.attacks.model import Attack, Combination, NoAttack, combination
from qkd.attacks.noise import Noise
from qkd.attacks.notation import KINDS, attack
from qkd.attacks.resending import BREIDBART_GUESS, Breidbart, DetectorBlinding, InterceptResend
from qkd.attacks.tapping import BeamSplitting, PhotonNumberSplitting
from qkd.attacks.theory import Expectation, expectation

__all__ = [
    "BREIDBART_GUESS",
    "KINDS",
    "Attack",
    "BeamSplitting",
    "Breidbart",
    "Combination",
    "DetectorBlinding",
    "Expectation",
    "Flight",
    "InterceptResend",
    "Interception",
    "NoAttack",
    "Noise",
    "PhotonNumberSplitting",
    "attack",
    "combination",
    "expectation",
]
