"""Read JSON as RFC 8259 has it: UTF-8, and nothing that an answer in UTF-8 could not hold."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    """A JSON parser that refuses what Python's accepts or fails on: half a surrogate pair, bottomless nesting."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the document.

        Raises:
            ParseError: it is none, or none that is accepted.
        """
        try:
            document = super().parse(stream, media_type, parser_context)
            json.dumps(document, ensure_ascii=False).encode()
        except RecursionError:
            raise ParseError("The JSON is nested too deeply. Send a flatter document.") from None
        except UnicodeEncodeError:
            raise ParseError(
                "The JSON holds half of a surrogate pair, which is no character. Send well-formed Unicode."
            ) from None
        return document
