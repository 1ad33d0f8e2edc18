"""The platform's HTTP API, and the presigned URLs that it hands out."""

import json
from collections.abc import Mapping
from typing import Any, Self

import urllib3
from urllib3.util import Retry, Timeout

from qkdclient.errors import Interrupted, Problem

# A GET is repeated whatever happens to it; a POST only if it was never sent, or refused for the moment.
RETRIES = Retry(total=6, backoff_factor=0.4, status_forcelist=(429, 502, 503, 504), raise_on_status=False)
SKIP_BYTES = 2**20
TIMEOUT = Timeout(connect=10, read=120)


class Api:
    """Calls with one API key. Safe to use from several threads."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url.rstrip("/") + "/api/v1/"
        self._headers = {"X-API-Key": api_key, "Accept": "application/json"}
        self._pool = urllib3.PoolManager(retries=RETRIES, timeout=TIMEOUT, maxsize=4)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """Call the API, and return its JSON answer.

        Raises:
            Problem: the platform refused, or cannot be reached.
        """
        headers, content = dict(self._headers), None
        if body is not None:
            headers["Content-Type"], content = "application/json", json.dumps(body).encode()
        fields = {name: str(value) for name, value in query.items() if value is not None} or None
        if method == "GET":
            answer = self._request(method, self._url + path, headers=headers, fields=fields)
        else:
            answer = self._request(method, self._url + path, headers=headers, body=content)
        return json.loads(answer.data) if answer.data else None

    def put(self, url: str, content: bytes) -> None:
        """Send bytes to a presigned URL. Idempotent.

        Raises:
            Problem: the store refused.
        """
        self._request("PUT", url, body=content)

    def get(self, url: str, *, start: int = 0, stop: int | None = None) -> "Answer":
        """Get a presigned URL from byte ``start`` on, up to ``stop``, as a stream.

        Raises:
            Problem: the store refused.
        """
        end = "" if stop is None else stop - 1
        headers = {"Range": f"bytes={start}-{end}"} if start or stop is not None else {}
        answer = self._request("GET", url, headers=headers, preload_content=False)
        return Answer(answer, skip=0 if answer.status == 206 else start)

    def _request(self, method: str, url: str, **more: Any) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._pool.request(method, url, **more)
        except urllib3.exceptions.HTTPError as error:
            raise Problem(
                0,
                f"The server cannot be reached ({type(error).__name__}). Check its URL and your connection.",
            ) from error
        if answer.status >= 400:
            raise _problem(answer)
        return answer


class Answer:
    """A streamed answer; a context manager that closes the connection."""

    def __init__(self, response: urllib3.BaseHTTPResponse, *, skip: int) -> None:
        self._response = response
        while skip and (skipped := self.read(min(skip, SKIP_BYTES))):  # a store may ignore ranges
            skip -= len(skipped)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def read(self, size: int, /) -> bytes:
        """Read at most ``size`` bytes; none only at the end.

        Raises:
            Interrupted: the connection broke off.
        """
        try:
            return self._response.read(size)
        except urllib3.exceptions.HTTPError as error:
            raise Interrupted(
                f"The connection broke off ({type(error).__name__}). Give the same command again to continue."
            ) from error


def _problem(answer: urllib3.BaseHTTPResponse) -> Problem:
    content = answer.data
    try:
        document = json.loads(content)
        return Problem(answer.status, str(document["detail"]), kind=str(document.get("type", "")))
    except (ValueError, KeyError, TypeError):
        return Problem(answer.status, f"The server answered with status {answer.status} and no explanation.")
