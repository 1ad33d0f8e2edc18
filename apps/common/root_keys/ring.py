"""A root key that wraps, and others that only unwrap, until everything under them is re-wrapped."""

from collections.abc import Mapping, Sequence

from apps.common.root_keys.interface import RootKey, RootKeyUnavailable, UnwrapFailed


class RootKeyRing:
    """The root key of ``ROOT_KEY`` and those of ``ROOT_KEY_PREVIOUS``.

    A secret under a previous key costs a refused call to the current one first; once it is re-wrapped, no more.
    """

    def __init__(self, current: RootKey, previous: Sequence[RootKey]) -> None:
        self.current = current
        self.previous = tuple(previous)

    @property
    def id(self) -> str:
        return self.current.id

    @property
    def old_ids(self) -> tuple[str, ...]:
        older = [name for root in self.previous for name in (root.id, *root.old_ids)]
        return (*self.current.old_ids, *older)

    def __repr__(self) -> str:
        return f"RootKeyRing({self.current!r}, {len(self.previous)} previous)"

    def wrap(self, secret: bytes, *, context: Mapping[str, str]) -> bytes:
        """See ``RootKey.wrap``."""
        return self.current.wrap(secret, context=context)

    def unwrap(self, blob: bytes, *, context: Mapping[str, str]) -> bytes:
        """See ``RootKey.unwrap``."""
        unavailable: RootKeyUnavailable | None = None
        for root in (self.current, *self.previous):
            try:
                return root.unwrap(blob, context=context)
            except UnwrapFailed:
                continue
            except RootKeyUnavailable as error:
                unavailable = error
        if unavailable is not None:  # the secret may be that one's
            raise unavailable
        raise UnwrapFailed("under none of the root keys, another context, or a changed wrapped secret")
