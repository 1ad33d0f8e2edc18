"""The engine's names and limits, for callers that check input: importing them costs no numpy."""

MIN_KEY_LENGTH, MAX_KEY_LENGTH, DEFAULT_KEY_LENGTH = 64, 1_048_576, 128
KINDS = (
    "none",
    "intercept_resend",
    "breidbart",
    "photon_number_splitting",
    "beam_splitting",
    "detector_blinding",
    "time_shift",
    "trojan_horse",
    "noise",
)
"""Kinds of eavesdroppers, as ``qkd.attacks.attack`` takes them."""
