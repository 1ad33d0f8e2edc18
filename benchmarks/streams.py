"""Streams of several sizes through one implementation, in a process of its own: CPU and memory.

    python benchmarks/streams.py <name> <folder> <size in bytes>...

Run by ``benchmarks.packages``, ours with our Python, the peers with that of an environment made for them. The source
is made while it is read; encryption is timed into a sink that keeps nothing, decryption from a file. Prints JSON.
"""

import hashlib
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

KIB, MIB = 2**10, 2**20
SIZES = (KIB, MIB, 64 * MIB, 1024 * MIB)
ENOUGH_SECONDS, MOST_RUNS = 1.0, 50  # of one size and direction; a slow one runs once
LEAST_SECONDS = 0.02  # some kernels count the CPU of a process by the tick
BUFFER = 64 * KIB
AAD = b"benchmark"
BLOCK = memoryview(os.urandom(MIB))


class Source(io.RawIOBase):
    """A stream of so many bytes, the same block repeated."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = min(len(buffer), self._left, MIB)
        buffer[:count] = BLOCK[:count]
        self._left -= count
        return count


class Nowhere(io.RawIOBase):
    """A sink that costs nothing."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return memoryview(data).nbytes


class Bare:
    """``AESGCM`` over buffers of 64 KiB: what the cipher itself allows."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.cipher = AESGCM(os.urandom(32))

    def encrypt(self, source: Any, sink: Any) -> None:
        buffer, target = memoryview(bytearray(BUFFER)), memoryview(bytearray(BUFFER + 16))
        number = 0
        while count := source.readinto(buffer):
            self.cipher.encrypt_into(number.to_bytes(12, "big"), buffer[:count], None, target[: count + 16])
            sink.write(target[: count + 16])
            number += 1

    def decrypt(self, source: Any, sink: Any) -> None:
        buffer, target = memoryview(bytearray(BUFFER + 16)), memoryview(bytearray(BUFFER))
        number = 0
        while count := source.readinto(buffer):
            self.cipher.decrypt_into(number.to_bytes(12, "big"), buffer[:count], None, target[: count - 16])
            sink.write(target[: count - 16])
            number += 1


class Ours:
    """The body of a package."""

    def __init__(self) -> None:
        import qkdseal

        self.format, self.key = qkdseal, os.urandom(32)

    def encrypt(self, source: Any, sink: Any) -> None:
        self.format.encrypt_stream(source, sink, key=self.key, context=AAD, seen=self.seen())

    def seen(self) -> Any:
        """What every piece of the plaintext is shown to."""
        return None

    def decrypt(self, source: Any, sink: Any) -> None:
        self.format.decrypt_stream(source, sink, key=self.key, context=AAD)


class Digest(Ours):
    """The same, with the SHA-256 of the plaintext in the same thread."""

    def seen(self) -> Any:
        return hashlib.sha256().update


class Tink:
    """Tink's streaming AEAD, AES-256-GCM-HKDF in segments of 1 MiB."""

    def __init__(self) -> None:
        import tink
        from tink import streaming_aead

        streaming_aead.register()
        template = streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB
        self.primitive = tink.new_keyset_handle(template).primitive(streaming_aead.StreamingAead)

    def encrypt(self, source: Any, sink: Any) -> None:
        with self.primitive.new_encrypting_stream(Unclosed(sink), AAD) as target:
            copy(source, target)

    def decrypt(self, source: Any, sink: Any) -> None:
        with self.primitive.new_decrypting_stream(source, AAD) as opened:
            copy(opened, sink)


class Unclosed(io.RawIOBase):
    """A sink that stays open when the encrypting stream closes it."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._sink.write(data)
        return memoryview(data).nbytes


class Age:
    """age (X25519, ChaCha20-Poly1305) by pyrage."""

    def __init__(self) -> None:
        import pyrage

        self.age, self.identity = pyrage, pyrage.x25519.Identity.generate()

    def encrypt(self, source: Any, sink: Any) -> None:
        self.age.encrypt_io(source, sink, [self.identity.to_public()])

    def decrypt(self, source: Any, sink: Any) -> None:
        self.age.decrypt_io(source, sink, [self.identity])


class AwsEncryptionSdk:
    """AWS Encryption SDK, committing AES-256-GCM without signature, a raw AES key; frames as they are by default."""

    frame_length = 4 * KIB

    def __init__(self) -> None:
        import aws_encryption_sdk
        from aws_encryption_sdk.identifiers import Algorithm, EncryptionKeyType, WrappingAlgorithm
        from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
        from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider

        class Provider(RawMasterKeyProvider):
            provider_id = "benchmark"

            def _get_raw_key(self, key_id: str) -> Any:  # noqa: ARG002 - the SDK's signature
                return WrappingKey(
                    wrapping_algorithm=WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING,
                    wrapping_key=b"benchmark" + bytes(23),
                    wrapping_key_type=EncryptionKeyType.SYMMETRIC,
                )

        self.provider = Provider()
        self.provider.add_master_key("key")
        self.client = aws_encryption_sdk.EncryptionSDKClient()
        self.algorithm = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY

    def encrypt(self, source: Any, sink: Any) -> None:
        more = {"key_provider": self.provider, "algorithm": self.algorithm}
        more |= {"frame_length": self.frame_length}
        with self.client.stream(mode="e", source=source, source_length=None, **more) as stream:
            copy(stream, sink)

    def decrypt(self, source: Any, sink: Any) -> None:
        with self.client.stream(mode="d", source=source, key_provider=self.provider) as stream:
            copy(stream, sink)


class AwsLargeFrames(AwsEncryptionSdk):
    """The same, with frames as large as Tink's segments."""

    frame_length = MIB


def copy(source: Any, target: Any) -> None:
    """Copy everything, 1 MiB at a time."""
    while piece := source.read(MIB):
        target.write(piece)


IMPLEMENTATIONS: dict[str, type[Any]] = {
    "bare": Bare,
    "ours": Ours,
    "digest": Digest,
    "aws": AwsEncryptionSdk,
    "aws-large": AwsLargeFrames,
    "tink": Tink,
    "age": Age,
}


def fastest(work: Any) -> float:
    """Run ``work`` a few times; return the seconds of CPU of the fastest run. What is too short for the clock is run in a row."""
    times: list[float] = []
    in_a_row, spent = 1, 0.0
    while not times or (spent < ENOUGH_SECONDS and len(times) < MOST_RUNS):
        started = time.process_time()
        for _ in range(in_a_row):
            work()
        taken = time.process_time() - started
        spent += taken
        if taken < LEAST_SECONDS:
            in_a_row *= 4
        else:
            times.append(taken / in_a_row)
    return min(times)


def measure(one: Any, size: int, sealed: Path) -> dict[str, float]:
    """Measure the CPU seconds to encrypt and to decrypt, and the process's peak memory so far."""
    encrypting = fastest(lambda: one.encrypt(Source(size), Nowhere()))
    with sealed.open("wb") as sink:
        one.encrypt(Source(size), sink)

    def decrypt() -> None:
        with sealed.open("rb", buffering=0) as source:
            one.decrypt(source, Nowhere())

    decrypting = fastest(decrypt)
    return {"encrypt": encrypting, "decrypt": decrypting, "peak": peak()}


def peak() -> int:
    """The most memory that this process has had, in bytes.

    Not ``ru_maxrss``: that is never below what the process had that started this one.
    """
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def main() -> None:
    """Measure one implementation at every size."""
    name, folder, *sizes = sys.argv[1:]
    one, sealed = IMPLEMENTATIONS[name](), Path(folder) / name
    one.encrypt(Source(KIB), Nowhere())
    idle = peak()
    found = {str(size): measure(one, size, sealed) for size in map(int, sizes)}
    sealed.unlink()
    print(json.dumps({"idle": idle, "sizes": found}))


if __name__ == "__main__":
    main()
