"""Certificates of applications, as TLS verified them."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from apps.kme.records import Certificate, NotAuthorised

MOST_BYTES = 64 * 1024  # of a certificate in PEM


def read_certificate(pem: str) -> Certificate:
    """Read what decides from a certificate.

    Raises:
        NotAuthorised: there is none, or it is none.
    """
    if not pem or len(pem) > MOST_BYTES:
        raise NotAuthorised("Show the certificate of a registered application.")
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
        names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return Certificate(
            common_name=str(names[0].value) if len(names) == 1 else "",
            subject=found.subject.rfc4514_string(),
            fingerprint=found.fingerprint(hashes.SHA256()).hex(),
            not_before=found.not_valid_before_utc,
            not_after=found.not_valid_after_utc,
        )
    except (ValueError, TypeError) as error:
        raise NotAuthorised("The certificate cannot be read.") from error
