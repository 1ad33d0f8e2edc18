"""JSON in, as strictly as packages are read: every reader of a text understands the same."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from qkdseal import JsonInvalid, read_json


class StrictJSONParser(JSONParser):
    """Reads UTF-8 JSON and refuses repeated names, NaN, half of a surrogate pair, and bottomless nesting."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002 - DRF's signature
    ) -> Any:
        """Read the document.

        Raises:
            ParseError: it is no JSON, or JSON that is not accepted.
        """
        try:
            return read_json(stream.read().decode("utf-8"))
        except JsonInvalid as error:
            raise ParseError(str(error)) from None
        except UnicodeDecodeError:
            raise ParseError("The request's body is not UTF-8.") from None
