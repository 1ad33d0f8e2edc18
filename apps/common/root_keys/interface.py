"""Key wrapping: secrets at rest exist only under the root key, bound to their record by a context.

One small interface, and beside it ``kms.KmsRootKey`` (AWS KMS), ``local.LocalRootKey`` (a key file, for the embedded
stack) and ``ring.RootKeyRing`` (one of them and its predecessors). A *context* is a mapping of strings that names the record, e.g.
``{"record": "pool_key", "id": "..."}``. It is authenticated, not secret, and has to be the same again to unwrap,
so that a wrapped secret copied to another record is useless there.
"""

import json
from collections.abc import Mapping
from typing import Protocol

MAX_SECRET_SIZE = 131_072  # the longest quantum key: 1,048,576 bits


class UnwrapFailed(Exception):
    """A wrapped secret does not open: another context or root key, or changed bytes."""


class RootKeyUnavailable(Exception):
    """The root key cannot be used now (service down, refused, file unsafe); says nothing about a blob."""


class RootKey(Protocol):
    """What wraps secrets for storage."""

    @property
    def id(self) -> str:
        """Names the root key in records and health pages; not secret."""

    @property
    def old_ids(self) -> tuple[str, ...]:
        """Names of the keys that only unwrap, until everything under them is re-wrapped."""

    def wrap(self, secret: bytes, *, context: Mapping[str, str]) -> bytes:
        """Wrap 1 to 131,072 bytes into a self-describing blob.

        Raises:
            ValueError: empty or oversized secret, empty context.
            RootKeyUnavailable: the root key cannot be used now.
        """

    def unwrap(self, blob: bytes, *, context: Mapping[str, str]) -> bytes:
        """The secret in a blob that ``wrap`` made with the same context.

        Raises:
            UnwrapFailed: another context or root key, or a changed blob.
            ValueError: empty context.
            RootKeyUnavailable: the root key cannot be used now.
        """


def checked_context(context: Mapping[str, str]) -> dict[str, str]:
    """The context as a plain dict.

    Raises:
        ValueError: it is empty, so that it would bind the secret to nothing, or not made of non-empty strings.
    """
    if not context:
        raise ValueError("a wrapping context must name the record that the secret belongs to")
    for item in (*context.keys(), *context.values()):
        if not isinstance(item, str) or not item:
            raise ValueError("a wrapping context holds non-empty strings only")
    return dict(context)


def canonical_context(context: Mapping[str, str]) -> bytes:
    """The context as bytes, the same whatever the order of its items: sorted, compact, ASCII JSON."""
    return json.dumps(checked_context(context), sort_keys=True, separators=(",", ":")).encode("ascii")


def checked_secret(secret: bytes) -> bytes:
    """The secret itself; ValueError when it is empty or longer than ``MAX_SECRET_SIZE`` bytes."""
    if not 0 < len(secret) <= MAX_SECRET_SIZE:
        raise ValueError(f"a secret to wrap has 1 to {MAX_SECRET_SIZE} bytes, this has {len(secret)}")
    return secret
