"""The SHA-256 of a file, for those who may read the file."""

from dataclasses import dataclass

from apps.audit.records import Actor
from apps.common.errors import Invalid
from apps.files import services
from apps.files.bodies import digests
from apps.files.opening import DAMAGED, FileDamaged
from apps.files.reading import content
from apps.files.reading.content import Released
from apps.files.records import DigestBy, Document, Upload, Version
from apps.files.states import FileNotReady, as_words
from qkdseal import Envelope, PackageInvalid, open_digest


@dataclass(frozen=True, slots=True)
class Digest:
    """The SHA-256 of a file's plaintext in hex, and who computed it; None where its client gave none."""

    sha256: str | None
    given_by: DigestBy | None


def sha256_of(file_id: str, *, actor: Actor, passphrase: str | None = None) -> Digest:
    """The digest of a file.

    It is shown without opening a key of the file, so also while the body is in cold storage; where a passphrase is
    part of the key, the passphrase has to open it, and the audit entry is written first (I1).

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: not encrypted yet; or, with a passphrase, not readable now.
        Invalid: a passphrase is needed, or one is given that is not.
        FileDamaged: the digest or the envelope does not open.
    """
    file = services.find(file_id, actor=actor)
    if isinstance(file, Upload) or not file.envelope:
        raise FileNotReady(f"Only an encrypted file has a digest; this one is {as_words(file.status)}.")
    if file.has_passphrase:
        released = content.release(file, actor=actor, passphrase=passphrase, purpose="digest")
        return Digest(of_released(released, actor=actor), file.digest_by)
    if passphrase is not None:
        raise Invalid.of("passphrase", "the file has no passphrase")
    try:
        return Digest(_open(file, None), file.digest_by)
    except PackageInvalid:
        raise FileDamaged(DAMAGED) from None


def of_released(released: Released, *, actor: Actor) -> str | None:
    """The SHA-256 of a file whose key was released to ``actor``; None where its client gave none.

    Raises:
        Invalid: the passphrase is wrong, or the digest is damaged.
        FileDamaged: the digest does not open.
    """
    try:
        return _open(released.file, released.key)
    except PackageInvalid:
        raise content.report_unopened(released.file, actor) from None


def _open(file: Document | Version, file_key: bytes | None) -> str | None:
    if file.sealed_digest is None:
        return None
    header = Envelope.from_dict(file.envelope).header
    if header.passphrase is not None and file_key is not None:
        return open_digest(file.sealed_digest, key=file_key, context=header.digest()).hex()
    return digests.open_with_metadata_key(file.sealed_digest, header=header)
