"""Eavesdroppers. Each states what it does to the pulses, what Bob sees of it, and what Eve learns.

Only clicks are simulated (``qkd.photons``), so an attack defines two things: the probability that a pulse of n photons
is detected (``detection``), and what happens to the photons of the pulses that click (``intercept``). Eve is assumed
to hide in the click rate as well as her method allows.

| kind | QBER | clicks | Eve learns, of an attacked sifted bit | caught by |
|---|---|---|---|---|
| intercept_resend | + fraction/4 | unchanged | all of every second bit | QBER |
| breidbart | + fraction/4 | unchanged | 0.399 bit: she guesses 85.4 % | QBER |
| photon_number_splitting | unchanged | signal kept, decoys changed | all, if it had two photons | decoy states |
| beam_splitting | unchanged | unchanged | all, if she holds a lost photon | the key length: it counts as loss |
| time_shift | unchanged | unchanged | guesses 1/(2 - mismatch) of the bits | the bound, for a mismatch up to the link's |
| trojan_horse | unchanged | unchanged | 1 - exp(-2 leaked photons) of the bits | isolators; no bound here allows for it |
| detector_blinding | falls | unchanged above 3 dB | everything | a monitor of the detectors' current; not statistics |
| noise | + fraction/2 | unchanged | nothing | QBER: noise cannot be told from Eve |

Attacks can be combined (``qkd.attacks.model``): ``InterceptResend(0.1) + BeamSplitting()``, or in words
``attack("intercept-resend:0.1+beam-splitting")``. ``expectation`` predicts the outcome of any attack.

A new eavesdropper is a class with a role (``qkd.attacks.roles``) and an entry in ``qkd.attacks.notation.MODELS``.
"""

from qkd.attacks.flight import Flight, Interception
from qkd.attacks.model import Attack, Combination, NoAttack, combination
from qkd.attacks.noise import Noise
from qkd.attacks.notation import KINDS, attack
from qkd.attacks.resending import BREIDBART_GUESS, Breidbart, DetectorBlinding, InterceptResend
from qkd.attacks.side_channels import TimeShift, TrojanHorse
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
    "TimeShift",
    "TrojanHorse",
    "attack",
    "combination",
    "expectation",
]
