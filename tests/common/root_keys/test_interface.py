"""Root keys of both kinds: what is bound, and what is refused."""

import os
from collections.abc import Mapping
from typing import Any

import pytest

from apps.common.root_keys.interface import MAX_SECRET_SIZE, RootKey, UnwrapFailed
from apps.common.root_keys.kms import DIRECT_SIZE
from tests import requirement
from tests.common.root_keys import CONTEXT


@requirement("C10")
@pytest.mark.parametrize("size", [1, 32, 64, DIRECT_SIZE, DIRECT_SIZE + 1, MAX_SECRET_SIZE])
def test_a_wrapped_secret_unwraps_whatever_the_order_of_its_context(root: RootKey, size: int) -> None:
    secret = os.urandom(size)
    blob = root.wrap(secret, context=CONTEXT)
    assert root.unwrap(blob, context=dict(reversed(CONTEXT.items()))) == secret
    assert size < 32 or secret not in blob


@requirement("C10", "I2")
@pytest.mark.parametrize("size", [32, DIRECT_SIZE + 1])
@pytest.mark.parametrize(
    "context", [CONTEXT | {"id": "pk-2"}, {"record": "pool_key"}, CONTEXT | {"more": "1"}], ids=str
)
def test_a_secret_moved_to_another_record_does_not_unwrap(
    root: RootKey, size: int, context: Mapping[str, str]
) -> None:
    blob = root.wrap(bytes(size), context=CONTEXT)
    with pytest.raises(UnwrapFailed):
        root.unwrap(blob, context=context)


@requirement("C10")
@pytest.mark.parametrize("blob", [b"", b"x", b"QKL1", b"QKD1", b"x" * 7000])
def test_what_was_never_wrapped_does_not_unwrap(root: RootKey, blob: bytes) -> None:
    with pytest.raises(UnwrapFailed):
        root.unwrap(blob, context=CONTEXT)


@requirement("C10")
@pytest.mark.parametrize("context", [{}, {"record": ""}, {"": "x"}, {"record": 1}], ids=str)
def test_a_context_that_binds_nothing_is_refused(root: RootKey, context: Any) -> None:
    with pytest.raises(ValueError, match="context"):
        root.wrap(b"secret", context=context)


@requirement("C10")
@pytest.mark.parametrize("size", [0, MAX_SECRET_SIZE + 1])
def test_secrets_of_impossible_size_are_refused(root: RootKey, size: int) -> None:
    with pytest.raises(ValueError, match="1 to 131072 bytes"):
        root.wrap(bytes(size), context=CONTEXT)
