"""The platform's HTTP API, and the presigned URLs it hands out."""

import json
from collections.abc import Mapping
from typing import Any, Self

import urllib3
from urllib3.util import Retry, Timeout

# A GET is asked again whatever happens to it; a POST only if it was never sent, or refused for now.
RETRIES = Retry(total=6, backoff_factor=0.4, status_forcelist=(429, 502, 503, 504), raise_on_status=False)
SKIP_BYTES = 2**20
TIMEOUT = Timeout(connect=10, read=120)


class Problem(Exception):
    """What the platform, or the store behind a presigned URL, refused; ``status`` and ``type`` tell what."""

    def __init__(self, status: int, detail: str, *, kind: str = "") -> None:
        super().__init__(detail)
        self.status, self.detail, self.kind = status, detail, kind


class Api:
    """Calls with one API key. Safe to use from several threads."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url.rstrip("/") + "/api/v1/"
        self._headers = {"X-API-Key": api_key, "Accept": "application/json"}
        self._pool = urllib3.PoolManager(retries=RETRIES, timeout=TIMEOUT, maxsize=4)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """The JSON answer.

        Raises:
            Problem: the platform refused, or cannot be reached.
        """
        headers, content = dict(self._headers), None
        if body is not None:
            headers["Content-Type"], content = "application/json", json.dumps(body).encode()
        fields = {name: str(value) for name, value in query.items() if value is not None} or None
        if method == "GET":
            answer = self._asked(method, self._url + path, headers=headers, fields=fields)
        else:
            answer = self._asked(method, self._url + path, headers=headers, body=content)
        return json.loads(answer.data) if answer.data else None

    def put(self, url: str, content: bytes) -> None:
        """Send bytes to a presigned URL; doing it again does no harm.

        Raises:
            Problem: the store refused.
        """
        self._asked("PUT", url, body=content)

    def get(self, url: str, *, start: int = 0, stop: int | None = None) -> "Answer":
        """The answer of a presigned URL from byte ``start`` on, streamed.

        Raises:
            Problem: the store refused.
        """
        end = "" if stop is None else stop - 1
        headers = {"Range": f"bytes={start}-{end}"} if start or stop is not None else {}
        answer = self._asked("GET", url, headers=headers, preload_content=False)
        return Answer(answer, skip=0 if answer.status == 206 else start)

    def _asked(self, method: str, url: str, **more: Any) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._pool.request(method, url, **more)
        except urllib3.exceptions.HTTPError as error:
            raise Problem(0, f"{type(error).__name__}: the server cannot be reached") from error
        if answer.status >= 400:
            raise _problem(answer)
        return answer


class Interrupted(Problem):
    """A connection broke off; what came before is good."""

    def __init__(self, detail: str) -> None:
        super().__init__(0, detail)


class Answer:
    """A streamed answer; a context manager that gives the connection back."""

    def __init__(self, response: urllib3.BaseHTTPResponse, *, skip: int) -> None:
        self._response = response
        while skip and (skipped := self.read(min(skip, SKIP_BYTES))):  # a store may ignore ranges
            skip -= len(skipped)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end only.

        Raises:
            Interrupted: the connection broke off.
        """
        try:
            return self._response.read(size)
        except urllib3.exceptions.HTTPError as error:
            raise Interrupted(f"{type(error).__name__}: the connection broke off") from error


def _problem(answer: urllib3.BaseHTTPResponse) -> Problem:
    content = answer.data
    try:
        document = json.loads(content)
        return Problem(answer.status, str(document["detail"]), kind=str(document.get("type", "")))
    except (ValueError, KeyError, TypeError):
        return Problem(answer.status, f"the server answered {answer.status}")
