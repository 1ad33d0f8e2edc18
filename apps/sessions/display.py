"""Rendering of a session's parts in the console."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.console import render
from apps.console.render import Tone
from apps.sessions.records import KeyPurpose, QuantumKey, SessionStatus

TONES = {
    SessionStatus.READY: Tone.GOOD,
    SessionStatus.PENDING: Tone.WAIT,
    SessionStatus.ABORTED: Tone.MUTED,
    SessionStatus.STUDY: Tone.MUTED,
    SessionStatus.COMPROMISED: Tone.BAD,
    SessionStatus.REVOKED: Tone.BAD,
}
LENGTHS = {
    "raw": "pulses sent by Alice",
    "detected": "clicks at Bob's detectors",
    "sifted": "measured in the basis they were sent in",
    "sampled": "compared publicly to estimate the QBER, then discarded",
    "kept": "left for the key",
    "leaked": "parities disclosed by error correction",
    "verification": "disclosed to verify that both keys are equal",
    "corrected": "equal on both sides",
    "bound": "secret bits that the finite-key bound allows",
    "final": "bits of the key",
}


BASES = {"rectilinear": "rect", "diagonal": "diag"}


def by_basis(counts: Mapping[str, int]) -> Any:
    """Render errors and QBER of each basis."""
    found = [(name, counts[f"n_{basis}"], counts[f"errors_{basis}"]) for name, basis in BASES.items()]
    rows = [
        (
            name,
            render.number(compared),
            render.number(errors),
            qber(errors / compared) if compared else render.NONE,
        )
        for name, compared, errors in found
    ]
    return render.table(("Basis", "Bits", "Errors", "QBER"), rows)


def qber(value: float) -> Any:
    """Render the rate, coloured by the platform's threshold."""
    return render.rate(value, threshold=settings.QBER_THRESHOLD)


def taken_for(viewer: Any, key: QuantumKey) -> Any:
    """Link to what a quantum key was taken for: a file or a message; a delivery is named."""
    if key.purpose is KeyPurpose.FILE:
        return render.link(viewer, "files.file", key.subject)
    if key.purpose is KeyPurpose.MESSAGE:
        return render.link(viewer, "files.message", key.key_id, key.subject)
    return render.words(key.purpose)
