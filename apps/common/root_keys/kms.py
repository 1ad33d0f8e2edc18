"""The root key in AWS KMS, with the context as KMS encryption context.

A secret of up to 4,096 bytes (KMS's limit) is encrypted by KMS itself: the blob is KMS's own ciphertext,
which ``aws kms decrypt`` opens as well. A longer one is encrypted under a data key of its own:

    "QKD1" || length of wrapped data key (2 bytes, big-endian) || wrapped data key || nonce (12) ||
    AES-256-GCM(data key, nonce, secret, aad = all before the nonce || canonical context)

KMS's ciphertexts begin with a version byte or a key id, never with these four letters.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.common.root_keys.interface import (
    RootKeyUnavailable,
    UnwrapFailed,
    canonical_context,
    checked_context,
    checked_secret,
)

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

DIRECT_SIZE = 4096  # bytes that KMS Encrypt takes
CIPHERTEXT_SIZE = 6144  # bytes that KMS Decrypt takes
NONCE_SIZE = 12
_DATA_KEY_MAGIC = b"QKD1"
_PREFIX_SIZE = len(_DATA_KEY_MAGIC) + 2
# What KMS answers when it is the blob or its context that is wrong.
_REFUSALS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class KmsRootKey:
    """A root key that never leaves KMS.

    Decryption names the key as well, so a blob made under any other KMS key is refused. An alias that is
    pointed to another key therefore needs the secrets re-wrapped first; KMS's own rotation does not.
    """

    def __init__(self, key_id: str, client: "KMSClient") -> None:
        self._key_id = key_id
        self._client = client
        self._arn: str | None = None

    @classmethod
    def connect(cls, key_id: str) -> Self:
        """With a client of the environment's region, endpoint and role, and bounded waits."""
        import boto3  # noqa: PLC0415  slow to load, and not needed where a client is given
        from botocore.config import Config  # noqa: PLC0415

        waits = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 3})
        return cls(key_id, boto3.client("kms", config=waits))

    @property
    def id(self) -> str:
        """An alias can be pointed to another key, so records name the key behind it."""
        if "alias/" not in self._key_id:
            return f"kms:{self._key_id}"
        if self._arn is None:
            try:
                self._arn = self._client.describe_key(KeyId=self._key_id)["KeyMetadata"]["Arn"]
            except (BotoCoreError, ClientError) as error:
                raise RootKeyUnavailable("KMS does not know the root key") from error
        return f"kms:{self._arn}"

    @property
    def old_ids(self) -> tuple[str, ...]:
        """None: KMS keeps what its own rotation replaced."""
        return ()

    def __repr__(self) -> str:
        return f"KmsRootKey({self._key_id!r})"

    def wrap(self, secret: bytes, *, context: Mapping[str, str]) -> bytes:
        """See ``RootKey.wrap``: one KMS call."""
        checked_secret(secret)
        bound = checked_context(context)
        try:
            if len(secret) <= DIRECT_SIZE:
                return self._client.encrypt(KeyId=self._key_id, Plaintext=secret, EncryptionContext=bound)[
                    "CiphertextBlob"
                ]
            data_key = self._client.generate_data_key(
                KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=bound
            )
        except (BotoCoreError, ClientError) as error:
            raise RootKeyUnavailable("KMS did not wrap") from error
        wrapped_key = data_key["CiphertextBlob"]
        prefix = _DATA_KEY_MAGIC + len(wrapped_key).to_bytes(2, "big") + wrapped_key
        nonce = os.urandom(NONCE_SIZE)
        sealed = AESGCM(data_key["Plaintext"]).encrypt(nonce, secret, prefix + canonical_context(bound))
        return prefix + nonce + sealed

    def unwrap(self, blob: bytes, *, context: Mapping[str, str]) -> bytes:
        """See ``RootKey.unwrap``: one KMS call."""
        bound = checked_context(context)
        if not blob.startswith(_DATA_KEY_MAGIC):
            return self._decrypt(blob, bound)
        key_end = _PREFIX_SIZE + int.from_bytes(blob[len(_DATA_KEY_MAGIC) : _PREFIX_SIZE], "big")
        prefix, nonce, sealed = (
            blob[:key_end],
            blob[key_end : key_end + NONCE_SIZE],
            blob[key_end + NONCE_SIZE :],
        )
        if len(nonce) < NONCE_SIZE:
            raise UnwrapFailed("the wrapped secret is cut")
        data_key = self._decrypt(prefix[_PREFIX_SIZE:], bound)
        try:
            return AESGCM(data_key).decrypt(nonce, sealed, prefix + canonical_context(bound))
        except (InvalidTag, ValueError):
            raise UnwrapFailed("the wrapped secret was changed") from None

    def _decrypt(self, ciphertext: bytes, context: dict[str, str]) -> bytes:
        if not 0 < len(ciphertext) <= CIPHERTEXT_SIZE:
            raise UnwrapFailed("not a KMS ciphertext")
        try:
            return self._client.decrypt(
                KeyId=self._key_id, CiphertextBlob=ciphertext, EncryptionContext=context
            )["Plaintext"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _REFUSALS:
                raise UnwrapFailed("KMS refused the wrapped secret or its context") from None
            raise RootKeyUnavailable("KMS did not unwrap") from error
        except BotoCoreError as error:
            raise RootKeyUnavailable("KMS did not unwrap") from error
