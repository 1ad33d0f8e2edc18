"""The root key in KMS: what its blobs are, and what its failures mean."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from apps.common.root_keys.interface import RootKeyUnavailable, UnwrapFailed
from apps.common.root_keys.kms import DIRECT_SIZE, KmsRootKey
from tests import requirement
from tests.common.root_keys import CONTEXT


@requirement("C10")
def test_any_changed_part_of_a_data_key_blob_is_found(kms: Any) -> None:
    root = KmsRootKey("alias/root", kms)
    blob = root.wrap(bytes(DIRECT_SIZE + 1), context=CONTEXT)
    for position in (4, 5, 50, 101, 102, 113, 114, len(blob) - 1):
        damaged = blob[:position] + bytes([blob[position] ^ 1]) + blob[position + 1 :]
        with pytest.raises((UnwrapFailed, RootKeyUnavailable)):
            root.unwrap(damaged, context=CONTEXT)
    for size in (4, 5, 6, 60, 102, 110, 120, len(blob) - 1):
        with pytest.raises(UnwrapFailed):
            root.unwrap(blob[:size], context=CONTEXT)


@requirement("C10")
def test_a_blob_of_another_kms_key_is_refused(kms: Any) -> None:
    other = KmsRootKey(kms.create_key()["KeyMetadata"]["KeyId"], kms)
    blob = other.wrap(b"secret", context=CONTEXT)
    with pytest.raises((UnwrapFailed, RootKeyUnavailable)):
        KmsRootKey("alias/root", kms).unwrap(blob, context=CONTEXT)


@requirement("A7")
def test_a_small_secret_is_plain_kms_ciphertext(kms: Any) -> None:
    blob = KmsRootKey("alias/root", kms).wrap(b"secret", context=CONTEXT)
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"] == b"secret"


class FailingKms:
    """Every call fails with the same error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def encrypt(self, **_: object) -> None:
        raise self.error

    generate_data_key = decrypt = encrypt


@requirement("C10")
@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ThrottlingException"}}, "Any"),
        ClientError({"Error": {"Code": "DisabledException"}}, "Any"),
        EndpointConnectionError(endpoint_url="https://kms"),
    ],
    ids=str,
)
def test_an_unreachable_kms_is_not_mistaken_for_a_bad_blob(error: Exception) -> None:
    client: Any = FailingKms(error)
    root = KmsRootKey("alias/root", client)
    calls: list[Callable[[], bytes]] = [
        lambda: root.wrap(b"secret", context=CONTEXT),
        lambda: root.wrap(bytes(DIRECT_SIZE + 1), context=CONTEXT),
        lambda: root.unwrap(b"blob", context=CONTEXT),
    ]
    for call in calls:
        with pytest.raises(RootKeyUnavailable) as raised:
            call()
        assert raised.value.__cause__ is error
