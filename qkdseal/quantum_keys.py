"""Quantum keys as packages use them: of one size, for one package or one batch, named by an id.

A package names its quantum key by an id. A package of a batch adds ``/`` and its index, and uses a key that is
derived for that index:

    key of the package = HKDF-Expand(SHA-512, prk = quantum key, info = label, index, 32 bytes)

So a reader of one message of a batch can be given its key without the others.
"""

import re

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from qkdseal.encoding import encode_fields

# Exactly: HMAC pads its key with zeros, so keys of different lengths could be one and the same.
QUANTUM_KEY_SIZE = 32
BATCH_LIMIT = 2**32  # packages under one quantum key; an index has four bytes
_BATCH_LABEL = b"qkdplatform batch key v1"
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")  # one spelling of each index


def check_quantum_key(quantum_key: bytes) -> None:
    """Refuse a quantum key of another size.

    Raises:
        ValueError: it has not exactly 32 bytes.
    """
    if len(quantum_key) != QUANTUM_KEY_SIZE:
        raise ValueError(f"A quantum key has {QUANTUM_KEY_SIZE} bytes; this one has {len(quantum_key)}.")


def batch_key_id(quantum_key_id: str, *, index: int) -> str:
    """The id that package ``index`` of a batch names.

    >>> batch_key_id("session-1.0", index=7)
    'session-1.0/7'

    Raises:
        ValueError: the id is that of a package of a batch already, or the index is out of bounds.
    """
    if "/" in quantum_key_id:
        raise ValueError(f"{quantum_key_id} names a package of a batch. Give the id of the quantum key.")
    if not 0 <= index < BATCH_LIMIT:
        raise ValueError(f"A batch has the indexes 0 to {BATCH_LIMIT - 1}; {index} is none of them.")
    return f"{quantum_key_id}/{index}"


def split_key_id(quantum_key_id: str) -> tuple[str, int | None]:
    """The id of the quantum key itself, and the index in its batch; None for a package on its own.

    >>> split_key_id("session-1.0/7"), split_key_id("session-1.0")
    (('session-1.0', 7), ('session-1.0', None))

    Raises:
        ValueError: what follows a ``/`` is no index.
    """
    base, slash, index = quantum_key_id.partition("/")
    if not slash:
        return base, None
    if not base or not _INDEX.fullmatch(index) or int(index) >= BATCH_LIMIT:
        raise ValueError(
            "After the id of a quantum key and a slash comes the index of a package, such as /7."
        )
    return base, int(index)


def key_for(quantum_key_id: str, *, quantum_key: bytes) -> bytes:
    """The key that a package with this quantum key id uses: the quantum key, or the one derived for its index.

    Raises:
        ValueError: the quantum key has the wrong size, or the id is malformed.
    """
    check_quantum_key(quantum_key)
    _, index = split_key_id(quantum_key_id)
    if index is None:
        return quantum_key
    info = encode_fields(_BATCH_LABEL, index.to_bytes(4, "big"))
    return HKDFExpand(SHA512(), QUANTUM_KEY_SIZE, info).derive(quantum_key)
