"""Messages: bytes in, a package out, and back; one by one, or many under one quantum key."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from qkdclient.errors import Problem
from qkdclient.resources import Item, Resource

Context = str | Mapping[str, str]


class Messages(Resource):
    """Messages that the platform encrypts and hands back as packages of JSON."""

    _group = "messages"

    def encrypt(
        self,
        message: bytes,
        *,
        key: str | None = None,
        context: Context | None = None,
        passphrase: str | None = None,
        session_id: str | None = None,
        stock: str | None = None,
        suite: str | None = None,
    ) -> Item:
        """Encrypt a message of at most 4 MiB, and return its package.

        Args:
            message: the plaintext.
            key: name or alias of the key pool to seal to; by default yours, else that of messages.
            context: a text, or names with texts; bound to the package and not stored in it; needed again to decrypt.
            passphrase: an additional factor of the key.
            session_id: takes the quantum key from this session of yours.
            stock: platform (the default), or own.
            suite: of the package; the default unless PQFile has to read it.
        """
        asked: dict[str, Any] = {"key": key, "context": context, "passphrase": passphrase, "suite": suite}
        asked |= {"session_id": session_id, "stock": stock, "plaintext_base64": _as_text(message)}
        package: Item = self._post("encrypt", **asked)["package"]
        return package

    def decrypt(
        self, package: Item, *, context: Context | None = None, passphrase: str | None = None
    ) -> bytes:
        """Decrypt a package, and return its message.

        Args:
            package: as ``encrypt`` returned it.
            context: as it was encrypted with.
            passphrase: where one is part of the key.
        """
        answer = self._post("decrypt", package=package, context=context, passphrase=passphrase)
        return base64.b64decode(answer["plaintext_base64"])

    def encrypt_many(
        self,
        messages: Iterable[bytes],
        *,
        key: str | None = None,
        context: Context | None = None,
        session_id: str | None = None,
        stock: str | None = None,
    ) -> list[Item]:
        """Encrypt up to 1,000 messages under one quantum key; each package opens alone.

        Args:
            messages: the plaintexts.
            key: name or alias of the key pool to seal to.
            context: bound to every package.
            session_id: takes the quantum key from this session of yours.
            stock: platform (the default), or own.

        Raises:
            Problem: one of them cannot be encrypted; none is returned then.
        """
        told = [{"plaintext_base64": _as_text(message)} for message in messages]
        asked = {"key": key, "context": context, "session_id": session_id, "stock": stock}
        return [item["package"] for item in _all(self._post("encrypt/batch", messages=told, **asked))]

    def decrypt_many(
        self, packages: Iterable[Item], *, context: Context | None = None, passphrase: str | None = None
    ) -> list[bytes]:
        """Decrypt up to 1,000 packages, and return their messages in order.

        Args:
            packages: as ``encrypt`` or ``encrypt_many`` returned them.
            context: as they were encrypted with.
            passphrase: where one is part of the keys.

        Raises:
            Problem: one of them cannot be decrypted; none is returned then.
        """
        same = {
            name: value
            for name, value in (("context", context), ("passphrase", passphrase))
            if value is not None
        }
        told = [{"package": package, **same} for package in packages]
        items = _all(self._post("decrypt/batch", packages=told))
        return [base64.b64decode(item["plaintext_base64"]) for item in items]

    def rewrap(self, package: Item, *, key: str | None = None) -> Item:
        """Move a package to another pool key, and return the one to keep instead; its message is not shown.

        Args:
            package: as ``encrypt`` returned it.
            key: name or alias of the key pool to move to.
        """
        moved: Item = self._post("rewrap", package=package, key=key)["package"]
        return moved


def _as_text(message: bytes) -> str:
    return base64.b64encode(message).decode()


def _all(answer: Item) -> list[Item]:
    """The items of a batch, if none of them failed."""
    items: list[Item] = answer["items"]
    for number, item in enumerate(items):
        if item.get("error"):
            error = item["error"]
            raise Problem(int(error.get("status", 400)), f"Number {number}: {error.get('detail', error)}")
    return items
