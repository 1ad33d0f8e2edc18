"""A second implementation of docs/package-format.md, from its text alone: slow, plain, for tests.

It shares no code with qkdseal. ``python -m tests.qkdseal.reference`` writes the vectors of
bodies again; what HPKE draws at random cannot be given to the library, so whole messages were made once.
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

VECTORS = Path(__file__).parent / "vectors"
CHUNK = 16384
XWING_LABEL = bytes.fromhex("5c2e2f2f5e5c")
KEM_IDS = {"xwing-hkdf-sha512-aes256gcm": 0x647A, "mlkem768-hkdf-sha512-aes256gcm": 0x0041}
Json = dict[str, Any]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def unb64(text: str) -> bytes:
    return base64.b64decode(text)


def prefixed(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def extract(salt: bytes, ikm: bytes) -> bytes:
    """HKDF-Extract with SHA-512 (RFC 5869)."""
    return hmac.digest(salt or bytes(64), ikm, "sha512")


def expand(prk: bytes, info: bytes, size: int, digest: str = "sha512") -> bytes:
    """HKDF-Expand (RFC 5869)."""
    blocks = [b""]
    for number in range(1, size // 32 + 2):
        blocks.append(hmac.digest(prk, blocks[-1] + info + bytes([number]), digest))
    return b"".join(blocks)[:size]


def sealed_body(key: bytes, context: bytes, salt: bytes, plaintext: bytes) -> bytes:
    """Section "Body", with the salt given."""
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + salt + context
    okm = expand(key, info, 76)
    aead, base_nonce, commitment = AESGCM(okm[:32]), okm[32:44], okm[44:]
    body = salt + commitment
    for number in range(len(plaintext) // CHUNK + 1):
        counter = number.to_bytes(12, "big")
        nonce = bytes(a ^ b for a, b in zip(base_nonce, counter, strict=True))
        body += aead.encrypt(nonce, plaintext[number * CHUNK : (number + 1) * CHUNK], None)
    return body


def header_encoding(header: Json) -> bytes:
    """Section "Header"."""
    factor = header.get("passphrase")
    return prefixed(
        b"qkdplatform package header v1",
        header["suite"].encode(),
        header["body"].encode(),
        header["file_id"].encode(),
        header["quantum_key_id"].encode(),
        unb64(header.get("context_digest", "")),
        unb64(factor["salt"]) if factor else b"",
        factor["iterations"].to_bytes(4, "big") if factor else b"",
    )


def package_key(header: Json, quantum_key: bytes) -> bytes:
    """Section "Quantum key": the quantum key, or of a batch the key for the header's index."""
    assert len(quantum_key) == 32
    _, slash, index = header["quantum_key_id"].partition("/")
    if not slash:
        return quantum_key
    return expand(quantum_key, prefixed(b"qkdplatform batch key v1", int(index).to_bytes(4, "big")), 32)


def sealed_digest(key: bytes, context: bytes, salt: bytes, sha256: bytes) -> bytes:
    """Section "Digest", with the salt given."""
    digest_key = expand(key, prefixed(b"qkdplatform package digest key v1", context), 32)
    return sealed_body(digest_key, context, salt, sha256)


def file_key(header: Json, secret: bytes, quantum_key: bytes, passphrase: str | None) -> bytes:
    """Section "File key"."""
    quantum_key = package_key(header, quantum_key)
    if passphrase is not None:
        factor = header["passphrase"]
        rounds = factor["iterations"]
        secret += hashlib.pbkdf2_hmac("sha512", passphrase.encode(), unb64(factor["salt"]), rounds, 32)
    digest = hashlib.sha512(header_encoding(header)).digest()
    return expand(extract(quantum_key, secret), prefixed(b"qkdplatform package file key v1", digest), 32)


def decapsulated(suite: str, seed: bytes, enc: bytes) -> bytes:
    """ML-KEM-768 (FIPS 203), or X-Wing (draft-connolly-cfrg-xwing-kem, section 5.4)."""
    if KEM_IDS[suite] == 0x0041:
        return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(enc)
    expanded = hashlib.shake_256(seed).digest(96)
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    ct_m, ct_x = enc[:1088], enc[1088:]
    ss_m = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).decapsulate(ct_m)
    ss_x = x25519.exchange(X25519PublicKey.from_public_bytes(ct_x))
    return hashlib.sha3_256(
        ss_m + ss_x + ct_x + x25519.public_key().public_bytes_raw() + XWING_LABEL
    ).digest()


def hpke_opened(suite: str, seed: bytes, sealed: bytes, info: bytes) -> bytes:
    """RFC 9180 base mode, HKDF-SHA512, AES-256-GCM, first message."""
    size = 1120 if KEM_IDS[suite] == 0x647A else 1088
    suite_id = b"HPKE" + KEM_IDS[suite].to_bytes(2, "big") + b"\x00\x03\x00\x02"

    def labeled_extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return extract(salt, b"HPKE-v1" + suite_id + label + ikm)

    def labeled_expand(prk: bytes, label: bytes, context: bytes, length: int) -> bytes:
        return expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + context, length)

    psk_id_hash, info_hash = (
        labeled_extract(b"", b"psk_id_hash", b""),
        labeled_extract(b"", b"info_hash", info),
    )
    context = b"\x00" + psk_id_hash + info_hash
    secret = labeled_extract(decapsulated(suite, seed, sealed[:size]), b"secret", b"")
    key, nonce = (
        labeled_expand(secret, b"key", context, 32),
        labeled_expand(secret, b"base_nonce", context, 12),
    )
    return AESGCM(key).decrypt(nonce, sealed[size:], None)


def opened_envelope(envelope: Json, seed: bytes, quantum_key: bytes, passphrase: str | None) -> bytes:
    """Section "Envelope": the file key."""
    suite = envelope["pool_suite"]
    digest = hashlib.sha512(header_encoding(envelope["header"])).digest()
    info = prefixed(b"qkdplatform package seal v1", suite.encode(), envelope["pool_key_id"].encode(), digest)
    secret = hpke_opened(suite, seed, unb64(envelope["sealed"]), info)
    return file_key(envelope["header"], secret, quantum_key, passphrase)


def opened_pqfile(package: Json, seed: bytes, quantum_key: bytes) -> bytes:
    """Section "Compatibility suite": the message."""
    encapsulated, iv, ciphertext = (unb64(package[name]) for name in ("kem_ciphertext", "iv", "ciphertext"))
    secret = MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(encapsulated)
    digest = hashlib.sha512(header_encoding(package["header"])).digest()
    quantum_key = package_key(package["header"], quantum_key)
    mac_key = expand(extract(quantum_key, secret), prefixed(b"qkdplatform pqfile mac key v1", digest), 32)
    aad = prefixed(b"qkdplatform pqfile body v1", package["pool_key_id"].encode(), encapsulated, digest)
    signed = aad + iv + ciphertext + (8 * len(aad)).to_bytes(8, "big")
    if hmac.digest(mac_key, signed, "sha512")[:32] != unb64(package["tag"]):
        raise ValueError("the tag is wrong")
    decryptor = Cipher(AES256(hashlib.sha256(secret).digest()), CBC(iv)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    return padded[: -padded[-1]]


def stream(name: str, size: int) -> bytes:
    """The deterministic bytes that vectors speak of: SHAKE-128 of a name."""
    return hashlib.shake_128(name.encode()).digest(size)


def body_vector(size: int, context: bytes) -> Json:
    name = f"body {size} {context.hex()}"
    key, salt = stream(name + " key", 32), stream(name + " salt", 24)
    sealed = sealed_body(key, context, salt, stream(name, size))
    vector = {
        "plaintext": f"SHAKE-128({name!r}, {size} bytes)",
        "name": name,
        "size": size,
        "key": key.hex(),
        "context": context.hex(),
        "salt": salt.hex(),
        "header": sealed[:56].hex(),
        "ciphertext_size": len(sealed),
        "ciphertext_sha256": hashlib.sha256(sealed).hexdigest(),
    }
    return vector | ({"ciphertext": sealed.hex()} if size < 256 else {})


def write_body_vectors() -> None:
    sizes = (0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 1, 257 * CHUNK + 5)
    vectors = [body_vector(size, context) for size in sizes for context in (b"", b"qkdplatform")]
    text = json.dumps({"source": "tests/qkdseal/reference.py", "vectors": vectors}, indent=1)
    (VECTORS / "body.json").write_text(text + "\n")


def batch_vector(index: int) -> Json:
    quantum_key = stream(f"batch {index}", 32)
    header = {"quantum_key_id": f"session-1.0/{index}"}
    return {"index": index, "quantum_key": quantum_key.hex(), "key": package_key(header, quantum_key).hex()}


def digest_vector(text: bytes, context: bytes) -> Json:
    name = f"digest {text.hex()} {context.hex()}"
    key, salt, sha256 = stream(name + " key", 32), stream(name + " salt", 24), hashlib.sha256(text).digest()
    vector = {"plaintext": text, "key": key, "context": context, "salt": salt, "sha256": sha256}
    vector["sealed"] = sealed_digest(key, context, salt, sha256)
    return {field: value.hex() for field, value in vector.items()}


def write_small_vectors() -> None:
    batch = [batch_vector(index) for index in (0, 1, 9, 10, 255, 256, 2**32 - 1)]
    digests = [digest_vector(text, context) for text in (b"", b"text") for context in (b"", bytes(64))]
    for name, vectors in (("batch", batch), ("digest", digests)):
        text = json.dumps({"source": "tests/qkdseal/reference.py", "vectors": vectors}, indent=1)
        (VECTORS / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    write_body_vectors()
    write_small_vectors()
