"""A signing key that never leaves AWS KMS: an asymmetric key of the spec ML_DSA_65.

KMS takes messages of up to 4,096 bytes, and a checkpoint over many chains is longer. So it is given the message
representative μ, 64 bytes hashed over the public key and the message; the signature is that of the message itself.
Source: FIPS 204, section 6.2 (algorithm 7, line 6), with an empty context.
"""

import hashlib
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from apps.common.aws import client
from apps.common.errors import Unavailable

KEY_SPEC = "ML_DSA_65"


class SigningKeyUnavailable(Unavailable):
    """KMS does not sign with the configured key, or that key is none of ML-DSA-65."""


def find(name: str) -> tuple[str, bytes]:
    """Return the ARN and the public half of a key, which an id, an ARN or an alias names.

    Raises:
        SigningKeyUnavailable: KMS does not answer or refuses, or the key is of another kind.
    """
    try:
        answer = client("kms").get_public_key(KeyId=name)
    except (ClientError, BotoCoreError) as error:
        raise _unavailable(error) from error
    try:
        public = load_der_public_key(answer["PublicKey"])
    except (ValueError, UnsupportedAlgorithm):
        public = None
    if answer["KeySpec"] != KEY_SPEC or not isinstance(public, MLDSA65PublicKey):
        raise SigningKeyUnavailable(
            f"CHECKPOINT_KMS_KEY names a key of the spec {answer['KeySpec']}; {KEY_SPEC} is needed."
        )
    return answer["KeyId"], public.public_bytes_raw()


def signing(arn: str, public_key: bytes) -> Callable[[bytes], bytes]:
    """Return the function that has KMS sign a message, and checks what it gives."""

    def sign(message: bytes) -> bytes:
        try:
            answer = client("kms").sign(
                KeyId=arn,
                Message=representative(public_key, message),
                MessageType="EXTERNAL_MU",
                SigningAlgorithm="ML_DSA_SHAKE_256",
            )
        except (ClientError, BotoCoreError) as error:
            raise _unavailable(error) from error
        signature = answer["Signature"]
        try:
            MLDSA65PublicKey.from_public_bytes(public_key).verify(signature, message)
        except InvalidSignature:  # a checkpoint that nobody can verify would be locked for a year
            raise SigningKeyUnavailable(
                "What KMS signed does not verify under the key's public half."
            ) from None
        return signature

    return sign


def representative(public_key: bytes, message: bytes) -> bytes:
    """Return μ: what ML-DSA signs of a message, by the key's public half."""
    key_hash = hashlib.shake_256(public_key).digest(64)
    return hashlib.shake_256(key_hash + b"\0\0" + message).digest(
        64
    )  # no pre-hash, and a context of no bytes


def _unavailable(error: Exception) -> SigningKeyUnavailable:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return SigningKeyUnavailable(f"KMS did not sign with the key of checkpoints ({code}).")
