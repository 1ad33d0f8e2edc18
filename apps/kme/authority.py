"""A certificate authority for trying it out: the KME's certificate, applications' certificates, and the list of those taken back."""

import os
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from apps.common import clock
from apps.common.errors import Invalid

AUTHORITY_DAYS = 365
DAYS = 90  # of a certificate; short, as it is for trying out
HOSTS = ("localhost", "127.0.0.1")  # of the KME's certificate unless told
CA, KME, REVOKED = "ca", "kme", "revoked.pem"


class Authority:
    """Certificates in a folder: ``<name>.pem`` and ``<name>.key``; an authority is made where there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._path(CA, "key").exists():
            self._found()

    def issue(self, name: str, *, hosts: Sequence[str] = (), days: float = DAYS) -> Path:
        """Give out a certificate: a server's with ``hosts``, else a client's. Returns where it is."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        issuer, signer = self._own()
        made = (
            self._builder(name, issuer.subject, key.public_key(), days)
            .add_extension(_given_by(signer), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if hosts:
            made = made.add_extension(
                x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False
            )
        return self._write(name, made.sign(signer, hashes.SHA256()), key)

    def revoke(self, name: str) -> Path:
        """Take a certificate back: it is added to the list, which is made anew. Returns where that is."""
        return self._list([*self._revoked(), self._read(name).serial_number])

    def fingerprint(self, name: str) -> str:
        """The SHA-256 of a certificate, by which an application is registered."""
        return self._read(name).fingerprint(hashes.SHA256()).hex()

    def _found(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _named("Test authority of key delivery")
        made = self._builder("Test authority of key delivery", name, key.public_key(), AUTHORITY_DAYS)
        certificate = (
            made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_CA_USAGE, critical=True)
            .sign(key, hashes.SHA256())
        )
        self._write(CA, certificate, key)
        self._list([])

    def _builder(
        self, name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: float
    ) -> x509.CertificateBuilder:
        moment = clock.now()
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - timedelta(minutes=5))  # clocks differ
            .not_valid_after(moment + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def _list(self, serials: Sequence[int]) -> Path:
        issuer, signer = self._own()
        moment = clock.now()
        made = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.subject)
            .last_update(moment - timedelta(minutes=5))
            .next_update(moment + timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.CRLNumber(int(moment.timestamp() * 1000)), critical=False)
            .add_extension(_given_by(signer), critical=False)
        )
        for serial in serials:
            made = made.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment).build()
            )
        path = self.folder / REVOKED
        fresh = path.with_suffix(".new")
        fresh.write_bytes(made.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        fresh.replace(path)  # a server that reads it meanwhile reads a whole one
        return path

    def _revoked(self) -> list[int]:
        found = x509.load_pem_x509_crl((self.folder / REVOKED).read_bytes())
        return [one.serial_number for one in found]

    def _own(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = serialization.load_pem_private_key(self._path(CA, "key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Invalid(f"{self._path(CA, 'key')} is not the key of an authority that was made here.")
        return self._read(CA), key

    def _read(self, name: str) -> x509.Certificate:
        path = self._path(name, "pem")
        if not path.exists():
            raise Invalid(f"There is no certificate {path}.")
        return x509.load_pem_x509_certificate(path.read_bytes())

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Path:
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self._path(name, "key")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secret)
        shown = self._path(name, "pem")
        shown.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return shown

    def _path(self, name: str, kind: str) -> Path:
        return self.folder / f"{name}.{kind}"


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _given_by(signer: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


_CA_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
