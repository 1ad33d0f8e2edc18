"""Packages that stay secret while a post-quantum KEM or a quantum key holds. Usable alone; needs ``cryptography``.

A package is an *envelope* (about 1.9 KiB of JSON: a header, and a secret sealed to a pool key) and a *body* (the
encrypted content). The key of the body comes from both the sealed secret and a quantum key that both sides share.

>>> import io, os
>>> pool_key = generate_key_pair()                 # the reader keeps the seed, the writer gets the public key
>>> quantum_key = os.urandom(32)                   # shared by quantum key distribution, used for one package
>>> header = Header.of(file_id="report-7", quantum_key_id="session-1.0")

A file: its envelope is kept in a record, its body is a stream of any length.

>>> envelope, file_key = seal(
...     header, pool_key_id="pool-1", pool_public_key=pool_key.public_key, quantum_key=quantum_key
... )
>>> body = io.BytesIO()
>>> _ = encrypt_stream(io.BytesIO(b"figures"), body, key=file_key, context=header.digest())

>>> envelope = Envelope.from_bytes(envelope.to_bytes())
>>> file_key = open_envelope(envelope, seed=pool_key.seed, quantum_key=quantum_key)
>>> text, _ = io.BytesIO(), body.seek(0)
>>> size = decrypt_stream(body, text, key=file_key, context=envelope.header.digest())
>>> text.getvalue()
b'figures'

``rewrap`` moves an envelope to another pool key and leaves the body as it is. ``seal_message`` and
``open_message`` handle short messages in one piece. Whatever is wrong with a package, the error is
``PackageInvalid``; a wrong argument of the caller is a ``ValueError`` that says what to give.

The format is specified in docs/package-format.md.
"""

from qkdseal.body import (
    CHUNK_SIZE,
    HEADER_SIZE,
    PIECE_SIZE,
    SEALED_CHUNK_SIZE,
    BodySize,
    ciphertext_size,
    decrypt_chunks,
    decrypt_range,
    decrypt_range_chunks,
    decrypt_stream,
    encrypt_pieces,
    encrypt_stream,
    open_bytes,
    plaintext_size,
    seal_bytes,
)
from qkdseal.contexts import canonical_context
from qkdseal.digests import open_digest, seal_digest
from qkdseal.encoding import JsonInvalid, read_json
from qkdseal.envelope import Envelope, open_envelope, rewrap, seal
from qkdseal.errors import PackageInvalid
from qkdseal.header import BodyFormat, Header, PackageSuite, PassphraseFactor
from qkdseal.kem import (
    DEFAULT_SUITE,
    KeyPair,
    OpenFailed,
    Suite,
    check_public_key,
    fingerprint,
    generate_key_pair,
    open_secret,
    public_key_of,
    seal_secret,
)
from qkdseal.package import MESSAGE_LIMIT, Package, open_message, seal_batch, seal_message
from qkdseal.pqfile import PqfilePackage, open_pqfile, pqfile_header, seal_pqfile
from qkdseal.quantum_keys import QUANTUM_KEY_SIZE, batch_key_id, split_key_id
from qkdseal.reading import read_package
from qkdseal.streams import IteratorSource, Sink, Source

__all__ = [
    "CHUNK_SIZE",
    "DEFAULT_SUITE",
    "HEADER_SIZE",
    "MESSAGE_LIMIT",
    "PIECE_SIZE",
    "QUANTUM_KEY_SIZE",
    "SEALED_CHUNK_SIZE",
    "BodyFormat",
    "BodySize",
    "Envelope",
    "Header",
    "IteratorSource",
    "JsonInvalid",
    "KeyPair",
    "OpenFailed",
    "Package",
    "PackageInvalid",
    "PackageSuite",
    "PassphraseFactor",
    "PqfilePackage",
    "Sink",
    "Source",
    "Suite",
    "batch_key_id",
    "canonical_context",
    "check_public_key",
    "ciphertext_size",
    "decrypt_chunks",
    "decrypt_range",
    "decrypt_range_chunks",
    "decrypt_stream",
    "encrypt_pieces",
    "encrypt_stream",
    "fingerprint",
    "generate_key_pair",
    "open_bytes",
    "open_digest",
    "open_envelope",
    "open_message",
    "open_pqfile",
    "open_secret",
    "plaintext_size",
    "pqfile_header",
    "public_key_of",
    "read_json",
    "read_package",
    "rewrap",
    "seal",
    "seal_batch",
    "seal_bytes",
    "seal_digest",
    "seal_message",
    "seal_pqfile",
    "seal_secret",
    "split_key_id",
]
