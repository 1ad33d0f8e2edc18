"""Sends the parts of an upload to the places that the platform names for them."""

from collections.abc import Callable
from typing import Any

from qkdclient.api import Api
from qkdclient.errors import Problem
from qkdclient.pace import Pace

Told = Callable[[int], object]  # bytes more that are done


class PartSender:
    """Sends parts of one upload by number. Idempotent: a part that is sent again replaces itself."""

    def __init__(self, api: Api, file_id: str, pace: Pace) -> None:
        self._api, self._file_id, self._pace = api, file_id, pace

    def send(self, number: int, content: bytes) -> None:
        """Send one part.

        Raises:
            Problem: the platform or the store refused.
        """
        try:
            self._put(number, content)
        except Problem as problem:
            if problem.status != 403:
                raise
            self._put(number, content)  # its URL ended while the part was on its way

    def _put(self, number: int, content: bytes) -> None:
        answer = self._api.call("POST", f"files/{self._file_id}/parts", {"numbers": [number]})
        self._api.put(answer["parts"][0]["url"], self._pace.body(content))


class PartsSink:
    """Collects what is written into parts of one size, and sends each as soon as it is full."""

    def __init__(self, send: Callable[[int, bytes], object], part_bytes: int) -> None:
        self._send, self._part_bytes = send, part_bytes
        self._pending, self._number = bytearray(), 0

    def write(self, data: memoryview, /) -> None:
        """Take all of ``data``."""
        self._pending += data
        while len(self._pending) >= self._part_bytes:
            self._send_next(self._part_bytes)

    def send_rest(self) -> None:
        """Send what fills no whole part."""
        if self._pending:
            self._send_next(len(self._pending))

    def _send_next(self, size: int) -> None:
        self._number += 1
        self._send(self._number, bytes(self._pending[:size]))
        del self._pending[:size]


def parts_there(api: Api, file_id: str) -> dict[int, int]:
    """The sizes of the parts that have arrived, by number."""
    parts: list[dict[str, Any]] = api.call("GET", f"files/{file_id}/parts")["parts"]
    return {part["number"]: part["size"] for part in parts}
