"""The key of one file, as the platform hands it out."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from qkdclient.errors import Damaged
from qkdseal import BodyFormat


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
