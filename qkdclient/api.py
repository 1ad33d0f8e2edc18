"""The platform's HTTP API, and the presigned URLs that it hands out."""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import urllib3
from urllib3.util import Timeout

from qkdclient import patience
from qkdclient.errors import Broken, Misconfigured, Problem, Unfit, Unreachable
from qkdclient.names import shown
from qkdclient.patience import Patience

PASSING = frozenset({429, 502, 503, 504})  # too many requests, or a server that is not there for the moment
STORES_PASSING = PASSING | {500}  # S3 says that for the same; of the platform it is a fault that stays
# A name that does not exist, a certificate that does not fit: waiting mends neither.
FINAL = (
    urllib3.exceptions.NameResolutionError,
    urllib3.exceptions.SSLError,
    urllib3.exceptions.LocationValueError,
)
TIMEOUT = Timeout(connect=2.5, read=120)  # the user is told within 3 s; an answer may take its time
SKIP_BYTES = 2**20
CHECK = "Check the URL (--url, QKD_URL or the profile)"


class Api:
    """Calls with one API key. Safe to use from several threads."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        retry_seconds: float = patience.SECONDS,
        tell: Callable[[str], object] = patience.nobody,
        connections: int = 16,
    ) -> None:
        if not (api_key.isascii() and api_key.isprintable()):
            raise Misconfigured("The API key has signs that no key has, such as a line end. Copy it again.")
        self.server = url.rstrip("/")
        self._root, self._retry_seconds, self._tell = self.server + "/api/v1/", retry_seconds, tell
        self._headers = {"X-API-Key": api_key, "Accept": "application/json"}
        self._pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT, maxsize=connections)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        if_match: str | None = None,
        with_etag: bool = False,
    ) -> Any:
        """Call the API, and return its JSON answer. A lost answer is asked for again, under one Idempotency-Key.

        Args:
            method: GET, POST, PATCH, PUT or DELETE.
            path: below ``/api/v1/``.
            body: what is sent as JSON.
            query: parameters; those that are None are left out.
            if_match: the ETag of the record as it was read; it is changed only while it is still so (412).
            with_etag: the answer has the record's ETag, as ``etag``.

        Raises:
            Problem: the platform refused.
            Unreachable: it gave no answer for as long as the client tries.
        """
        more: dict[str, Any] = {"headers": dict(self._headers)}
        if method == "POST":
            more["headers"] |= {"Idempotency-Key": str(uuid.uuid4())}
        if if_match is not None:
            more["headers"] |= {"If-Match": if_match if '"' in if_match else f'"{if_match}"'}
        if body is not None:
            more["headers"] |= {"Content-Type": "application/json"}
            more["body"] = _encoded(body)
        if fields := {name: str(value) for name, value in (query or {}).items() if value is not None}:
            _encoded(fields)  # says what is no text; a query would say it otherwise
            more["fields"] = fields
        answer = self._send(method, self._address(path), **more)
        found = self._json(answer) if answer.data else None
        if with_etag and isinstance(found, dict) and "ETag" in answer.headers:
            found["etag"] = answer.headers["ETag"].removeprefix("W/").strip('"')
        return found

    def content(
        self, path: str, *, start: int, stop: int, headers: Mapping[str, str] | None = None
    ) -> "Range":
        """Bytes ``start`` to ``stop`` of a content, or fewer.

        Raises:
            Problem, Unreachable: as ``call``; status 412 where ``headers`` name a content that it is no more.
        """
        asked = {"Range": f"bytes={start}-{stop - 1}", "Accept": "*/*"}
        answer = self._send("GET", self._address(path), headers=self._headers | asked | dict(headers or {}))
        etag = answer.headers.get("ETag", "")
        if answer.status != 206:
            return Range(answer.data[start:stop], len(answer.data), etag)
        first, _, total = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if not first.startswith(f"{start}-") or not (total.isascii() and total.isdigit()):
            raise Unreachable(f"{self.server} answered with other bytes than were asked for.")
        return Range(answer.data, int(total), etag)

    def whole(self, path: str, *, headers: Mapping[str, str] | None = None) -> bytes:
        """A short content in one answer; errors as ``call``."""
        answer = self._send(
            "GET", self._address(path), headers=self._headers | {"Accept": "*/*"} | dict(headers or {})
        )
        return answer.data

    def put(self, url: str, content: Any) -> None:
        """Send bytes to a presigned URL. Idempotent. ``content`` is made by a call for each try, or bytes.

        Raises:
            Problem: the store refused.
        """
        self._send("PUT", url, body=content)

    def get(self, url: str, *, start: int = 0, stop: int | None = None) -> "Answer":
        """Get a presigned URL from byte ``start`` on, up to ``stop``, as a stream.

        Raises:
            Problem: the store refused.
        """
        end = "" if stop is None else stop - 1
        headers = {"Range": f"bytes={start}-{end}"} if start or stop is not None else {}
        answer = self._send("GET", url, headers=headers, preload_content=False)
        return Answer(answer, skip=0 if answer.status == 206 else start)

    def _send(self, method: str, url: str, *, body: Any = None, **more: Any) -> urllib3.BaseHTTPResponse:
        """Send a request until it is answered for good."""
        if not _is_url(url):
            raise Unreachable(
                f"{shown(self.server)} is no URL of a server. {CHECK}, such as https://qkd.example.com."
            )
        tries = Patience(self._retry_seconds, tell=self._tell)
        while True:
            try:
                content = body() if callable(body) else body
                answer = self._pool.request(method, url, body=content, redirect=False, **more)
            except urllib3.exceptions.HTTPError as error:
                silence = self._unreachable(url, error)
                if isinstance(error, FINAL) or not tries.pause(str(silence)):
                    raise silence from error
                continue
            if answer.status < 300:
                return answer
            problem = self._problem(answer, url)
            passing = PASSING if url.startswith(self._root) else STORES_PASSING
            if answer.status not in passing or not tries.pause(str(problem), at_least=_retry_after(answer)):
                raise problem

    def _address(self, path: str) -> str:
        """The URL of a path of the API; an id that would lead to another one is none.

        Raises:
            Problem: it is.
        """
        if {"", ".", ".."} & set(path.split("/")) or set("?#\\") & set(path):
            raise Problem(404, f"There is nothing at {shown(path)}: an id in it is empty, or none.")
        return self._root + path

    def _unreachable(self, url: str, error: Exception) -> Unreachable:
        place = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        what = f"{CHECK}, and that the server runs."
        if isinstance(error, urllib3.exceptions.SSLError):
            return Unreachable(f"{place} shows a certificate that is not trusted: {shown(error)}. {what}")
        if isinstance(error, urllib3.exceptions.NameResolutionError):
            return Unreachable(f"There is no host {urlsplit(url).hostname}. {what}")
        return Unreachable(f"{place} does not answer ({_reason(error)}). {what}")

    def _problem(self, answer: urllib3.BaseHTTPResponse, url: str) -> Problem:
        """What the server refused; text of the server's is shown escaped."""
        place = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        if answer.status < 400:
            return Problem(
                answer.status, f"{place} sends on to another address. Give the server's own URL with --url."
            )
        try:
            document = json.loads(answer.data)
            detail, kind = shown(document["detail"]), str(document.get("type", ""))
        except (ValueError, KeyError, TypeError, urllib3.exceptions.HTTPError):
            return Problem(
                answer.status, f"{place} answered with status {answer.status} and no explanation. {CHECK}."
            )
        if answer.status == 401:
            detail += " Give a valid API key for this server (QKD_API_KEY, or the profile)."
        return Problem(answer.status, f"{place}: {detail}", kind=kind)

    def _json(self, answer: urllib3.BaseHTTPResponse) -> "_Document":
        otherwise = f"{self.server} answers, but not as the platform does. {CHECK}."
        try:
            found = json.loads(answer.data, object_hook=lambda made: _Document(made, otherwise))
        except ValueError:
            raise Unreachable(otherwise) from None
        if not isinstance(found, _Document):
            raise Unreachable(otherwise)
        return found


class _Document(dict[str, Any]):
    """An object that a server answered. Whatever else answers in JSON lacks what is looked for in it."""

    def __init__(self, found: Mapping[str, Any], otherwise: str) -> None:
        super().__init__(found)
        self._otherwise = otherwise

    def __missing__(self, key: str) -> Any:
        """Refuse to go on without what the platform would have answered."""
        raise Unreachable(self._otherwise)


class Range(NamedTuple):
    """Some bytes of a content, how many it has in all, and its ETag (empty where there is none)."""

    data: bytes
    total: int
    etag: str


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
            Broken: the connection broke off.
        """
        try:
            return self._response.read(size)
        except urllib3.exceptions.HTTPError as error:
            raise Broken(
                f"The connection broke off ({type(error).__name__}). Give the same command again to continue."
            ) from error


def _is_url(url: str) -> bool:
    try:
        return urlsplit(url).scheme in {"http", "https"}
    except ValueError:  # such as of a bracket that nothing closes
        return False


def _encoded(document: Mapping[str, Any]) -> bytes:
    """A document as the platform takes it.

    Raises:
        Unfit: something in it is neither text nor a number.
    """
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise Unfit(f"{shown(error.object[error.start : error.end])} is not UTF-8. Give text.") from None
    except ValueError:
        raise Unfit("A value is no finite number. Give one, or text.") from None


def _retry_after(answer: urllib3.BaseHTTPResponse) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _reason(error: Exception) -> str:
    """What went wrong, in the words of the system where it has some."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__
