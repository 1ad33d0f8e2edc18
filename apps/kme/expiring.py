"""Certificates that end soon: those that applications show, and those by which the platform draws keys."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from apps.audit.records import Actor
from apps.audit.services import record
from apps.common import clock
from apps.common.sweeps import each
from apps.kme.certificates import read_certificate
from apps.kme.records import Certificate, NotAuthorised, Sae
from apps.kme.trail import CertificateEvent

MOST_NOTED = 10_000  # certificates of a day, in the memory of a process
_noted: set[tuple[str, str]] = set()


def is_soon(ends: datetime) -> bool:
    """Return whether a certificate has to be renewed now."""
    return ends <= clock.now() + timedelta(days=settings.EXPIRY_WARNING_DAYS)


def note_shown(sae: Sae, certificate: Certificate) -> None:
    """Record that an application shows a certificate that ends soon: once a day and process, however often it comes."""
    day = f"{clock.now():%Y-%m-%d}"
    if not is_soon(certificate.not_after) or (certificate.fingerprint, day) in _noted:
        return
    if len(_noted) >= MOST_NOTED:
        _noted.clear()
    _noted.add((certificate.fingerprint, day))
    _record(sae.as_actor(), certificate, sae=sae.sae_id)


def tell_own(*, actor: Actor) -> int:
    """Record each certificate of KME_CLIENTS that ends soon, or cannot be read; returns how many."""
    return each(list(_own()), lambda found: _record(actor, found[1], client=found[0]))


def _own() -> Iterator[tuple[str, Certificate | None]]:
    for name, told in sorted(settings.KME_CLIENTS.items()):
        found = _read(str(told.get("certificate", "")) if isinstance(told, dict) else "")
        if found is None or is_soon(found.not_after):
            yield str(name), found


def _read(told: str) -> Certificate | None:
    """A certificate, given as PEM or by its path; None of what is none."""
    try:
        text = told if told.lstrip().startswith("-----BEGIN") else Path(told).read_text("ascii")
        return read_certificate(text)
    except (OSError, ValueError, NotAuthorised):
        return None


def _record(actor: Actor, found: Certificate | None, **whose: str) -> None:
    told = {} if found is None else {"fingerprint": found.fingerprint, "ends": clock.as_text(found.not_after)}
    record(actor, CertificateEvent.EXPIRING, **whose, **told)
