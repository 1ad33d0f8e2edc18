"""The key of one file, as the platform hands it out, and a bounded memory for some of them."""

import base64
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from qkdclient.errors import Damaged
from qkdseal import BodyFormat

SECONDS = 600.0  # less than a URL of the body works, which comes with the key


@dataclass(frozen=True, slots=True)
class FileKey:
    """The key of a file's body, and the context that the body is bound to."""

    key: bytes = field(repr=False)
    context: bytes = field(repr=False)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what the platform answered.

        Raises:
            Damaged: the file's body is in a format that this client does not know.
        """
        if document["format"] != BodyFormat.COBBLESTONE_256:
            raise Damaged(f"The file's format {document['format']} is unknown here. Install a newer client.")
        return cls(base64.b64decode(document["key"]), base64.b64decode(document["context"]))


class KeyCache:
    """The last few keys that were asked for, in memory, for ten minutes. Safe to use from several threads."""

    def __init__(self, size: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size, self._clock, self._lock = size, clock, threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, Mapping[str, Any]]] = OrderedDict()

    def get(self, name: Hashable) -> Mapping[str, Any] | None:
        """What was kept under a name, if it is not too old."""
        with self._lock:
            until, document = self._kept.get(name, (0.0, None))
            if document is None or self._clock() >= until:
                self._kept.pop(name, None)
                return None
            self._kept.move_to_end(name)
            return document

    def keep(self, name: Hashable, document: Mapping[str, Any]) -> None:
        """Keep what was answered; the one that was not used for longest goes."""
        with self._lock:
            self._kept[name] = (self._clock() + SECONDS, document)
            self._kept.move_to_end(name)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def drop(self, name: Hashable) -> None:
        """Forget one. Idempotent."""
        with self._lock:
            self._kept.pop(name, None)
