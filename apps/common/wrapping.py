"""Key wrapping: secrets at rest exist only under the root key, bound to their record by a context.

One small interface, two implementations beside it: ``root_kms.KmsRootKey`` (AWS KMS) and
``root_local.LocalRootKey`` (a key file, for the embedded stack). A *context* is a mapping of strings that
names the record, e.g. ``{"record": "pool_key", "id": "..."}``. It is authenticated, not secret, and has to be
the same again to unwrap, so that a wrapped secret copied to another record is useless there.
"""

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cache
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
        """Names of the keys that only unwrap, until everything under them is wrapped anew."""

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


@cache
def root_key() -> RootKey:
    """The root key that ``settings.ROOT_KEY`` names: ``local:<path>`` or ``kms:<key id, ARN or alias>``.

    Those of ``settings.ROOT_KEY_PREVIOUS`` still unwrap what they wrapped.

    Raises:
        RootKeyUnavailable: a setting is neither, or a key file is unsafe or damaged.
    """
    from django.conf import settings  # noqa: PLC0415  the module itself stays free of Django

    current = _connected(str(settings.ROOT_KEY))
    if not settings.ROOT_KEY_PREVIOUS:
        return current
    from apps.common.root_ring import RootKeyRing  # noqa: PLC0415  only what is configured is loaded

    return RootKeyRing(current, [_connected(name) for name in settings.ROOT_KEY_PREVIOUS])


def wrapped_anew(secret: bytes, *, context: Mapping[str, str]) -> bytes:
    """A secret under the current root key, tried out before what it replaces is gone.

    Raises:
        RootKeyUnavailable: the root key does not answer, or not with what it was given.
    """
    root = root_key()
    wrapped = root.wrap(secret, context=context)
    if root.unwrap(wrapped, context=context) != secret:
        raise RootKeyUnavailable("the root key does not give back what it wrapped")
    return wrapped


def _connected(setting: str) -> RootKey:
    kind, _, name = setting.partition(":")
    if kind == "local" and name:
        from apps.common.root_local import LocalRootKey  # noqa: PLC0415  only what is configured is loaded

        return LocalRootKey(name)
    if kind == "kms" and name:
        from apps.common.root_kms import KmsRootKey  # noqa: PLC0415  only what is configured is loaded

        return KmsRootKey.connect(name)
    raise RootKeyUnavailable("ROOT_KEY must be local:<path> or kms:<key id, ARN or alias>")


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


class UnwrappedCache:
    """A few unwrapped secrets in memory, so that a busy process does not ask the root key each time.

    Bounded in number (least recently used goes first) and in age. Forgetting is local to the process: callers
    check the record's state before they use what is cached. Safe to use from several threads.

    Args:
        max_items: secrets held at most, > 0.
        ttl_seconds: age at which a secret is unwrapped again, > 0.
        clock: monotonic seconds.
    """

    def __init__(
        self, max_items: int, ttl_seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if max_items < 1 or ttl_seconds <= 0:
            raise ValueError("the cache needs room for one item and a positive age")
        self._max_items = max_items
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._items: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._forgotten = 0  # a secret whose unwrapping began before the last forget() is not kept

    def get(self, record_id: str, unwrap: Callable[[], bytes]) -> bytes:
        """The secret of a record: the cached one, or what ``unwrap()`` gives (its errors pass through)."""
        with self._lock:
            secret = self._fresh(record_id)
            forgotten = self._forgotten
        if secret is not None:
            return secret
        secret = unwrap()  # outside the lock: it may be a call over the network
        with self._lock:
            if forgotten == self._forgotten:
                self._keep(record_id, secret)
        return secret

    def forget(self, record_id: str) -> None:
        """Drop a record's secret, also one that is being unwrapped right now."""
        with self._lock:
            self._forgotten += 1
            self._items.pop(record_id, None)

    def clear(self) -> None:
        """Drop all secrets."""
        with self._lock:
            self._forgotten += 1
            self._items.clear()

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} of {self._max_items} items)"

    def _fresh(self, record_id: str) -> bytes | None:
        found = self._items.get(record_id)
        if found is None:
            return None
        expires, secret = found
        if self._clock() >= expires:
            del self._items[record_id]
            return None
        self._items.move_to_end(record_id)
        return secret

    def _keep(self, record_id: str, secret: bytes) -> None:
        self._items[record_id] = (self._clock() + self._ttl_seconds, secret)
        self._items.move_to_end(record_id)
        while len(self._items) > self._max_items:
            self._items.popitem(last=False)
