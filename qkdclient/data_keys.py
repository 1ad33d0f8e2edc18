"""Data keys: keys for one's own encryption, kept beside what they encrypt as packages that the platform opens."""

import base64
import json
from typing import NamedTuple

from qkdclient.api import Api
from qkdclient.file_keys import KeyCache
from qkdclient.messages import Context
from qkdclient.resources import Item, Resource


class DataKey(NamedTuple):
    """A key of 32 bytes, and the package to keep, from which the platform gives it back."""

    key: bytes
    package: Item

    def __repr__(self) -> str:
        """Never the key."""
        return "DataKey(…)"


class DataKeys(Resource):
    """Data keys. With ``cached_keys`` the client remembers the last few that it opened."""

    _group = "data-keys"

    def __init__(self, api: Api, cache: KeyCache) -> None:
        super().__init__(api)
        self._cache = cache

    def generate(
        self,
        *,
        key: str | None = None,
        context: Context | None = None,
        passphrase: str | None = None,
        session_id: str | None = None,
        stock: str | None = None,
    ) -> DataKey:
        """Make a data key: 32 random bytes, and the package to keep.

        Args:
            key: name or alias of the key pool that it is sealed to.
            context: bound to the package and not stored in it; needed again to open.
            passphrase: an additional factor of the key.
            session_id: takes the quantum key from this session of yours.
            stock: platform (the default), or own.
        """
        asked = {
            "key": key,
            "context": context,
            "passphrase": passphrase,
            "session_id": session_id,
            "stock": stock,
        }
        answer = self._post("data-keys", **asked)
        return DataKey(base64.b64decode(answer["plaintext_base64"]), answer["package"])

    def generate_without_plaintext(
        self,
        *,
        key: str | None = None,
        context: Context | None = None,
        passphrase: str | None = None,
        session_id: str | None = None,
        stock: str | None = None,
    ) -> Item:
        """Make a data key for later: only its package is answered.

        Args:
            key: name or alias of the key pool that it is sealed to.
            context: bound to the package and not stored in it; needed again to open.
            passphrase: an additional factor of the key.
            session_id: takes the quantum key from this session of yours.
            stock: platform (the default), or own.
        """
        asked = {
            "key": key,
            "context": context,
            "passphrase": passphrase,
            "session_id": session_id,
            "stock": stock,
        }
        package: Item = self._post("data-keys/without-plaintext", **asked)["package"]
        return package

    def open(self, package: Item, *, context: Context | None = None, passphrase: str | None = None) -> bytes:
        """Open a data key's package; one that was opened lately may come from memory.

        Args:
            package: as it was kept.
            context: as it was made with.
            passphrase: where one is part of the key.
        """
        name = json.dumps([package, context, passphrase], sort_keys=True)
        kept = self._cache.get(name)
        if kept is None:
            kept = self._post("decrypt", package=package, context=context, passphrase=passphrase)
            self._cache.keep(name, kept)
        return base64.b64decode(kept["plaintext_base64"])
