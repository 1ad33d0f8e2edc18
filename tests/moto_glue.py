"""What botocore and moto make again with each call, kept: a third of the time of a call to DynamoDB.

Kept are results that depend on their arguments alone; simpler than before are a signature that moto never looks at,
the name of a request, the request as moto's web framework sees it, and attributes that are text, numbers or bytes on
their way in and out. What the platform is answered is the same (tests/test_moto_glue.py).
"""

import io
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from typing import Any
from unittest import mock

from botocore import parsers, useragent
from botocore.auth import SigV4Auth
from botocore.exceptions import NoCredentialsError
from moto.core import parse, responses
from moto.core.base_backend import BaseBackend
from moto.core.request import Request, environ_key_for_header
from moto.core.utils import method_names_from_class
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.moto_api._internal.moto_random import MotoRandom

_sign, _lex, _urls = SigV4Auth.add_auth, ConditionExpressionParser._lex_condition_expression, BaseBackend.urls
_structure_in, _structure_out = (
    parse.BaseJSONParser._parse_structure,
    parsers.BaseJSONParser._handle_structure,  # type: ignore[attr-defined]
)
_from_primitives = Request.from_primitives
sanitised = lru_cache(maxsize=None)(useragent.sanitize_user_agent_string_component)
methods = lru_cache(maxsize=None)(method_names_from_class)
_urls_of: dict[type, Any] = {}


@contextmanager
def fast_glue() -> Iterator[None]:
    """As long as the block lasts."""
    replaced: list[tuple[object, str, Any]] = [
        (useragent, "sanitize_user_agent_string_component", sanitised),
        (responses, "method_names_from_class", methods),
        (BaseBackend, "urls", property(_kept_urls)),
        (MotoRandom, "get_random_string", _random_string),
        (ConditionExpressionParser, "_lex_condition_expression", _lexed),
        (SigV4Auth, "add_auth", _add_auth),
        (Request, "from_primitives", _request),
        (parse.BaseJSONParser, "_parse_structure", _structure(_structure_in)),
        (parsers.BaseJSONParser, "_handle_structure", _structure(_structure_out)),
    ]
    with ExitStack() as stack:
        for owner, name, faster in replaced:
            stack.enter_context(mock.patch.object(owner, name, faster))
        yield


def _kept_urls(backend: Any) -> Any:
    """Of S3, moto loads a module again each time, in case that the environment names other addresses."""
    kind = type(backend)
    if kind not in _urls_of:
        _urls_of[kind] = _urls.fget(backend)  # type: ignore[attr-defined]
    return _urls_of[kind]


def _random_string(
    random: MotoRandom, length: int = 20, include_digits: bool = True, lower_case: bool = False
) -> str:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" + "0123456789" * include_digits
    drawn = "".join(random.choices(letters, k=length))
    return drawn.lower() if lower_case else drawn


def _lexed(parser: Any) -> deque[Any]:
    return deque(_nodes(parser.condition_expression))


@cache
def _nodes(expression: str) -> tuple[Any, ...]:
    """What reads them takes them out of the queue, and changes none."""
    return tuple(_lex(ConditionExpressionParser(expression, None, None)))


def _add_auth(auth: Any, request: Any) -> None:
    """Of DynamoDB's calls moto looks at who signs, and for which region."""
    if auth._service_name != "dynamodb":
        _sign(auth, request)
        return
    if auth.credentials is None:
        raise NoCredentialsError
    scope = f"{auth.credentials.access_key}/20260101/{auth._region_name}/dynamodb/aws4_request"
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def _request(method: str, url: str, headers: Any, body: Any = None) -> Request:
    target = headers.get("X-Amz-Target")
    if not target or not isinstance(body, bytes) or not url.endswith("amazonaws.com/"):
        return _from_primitives(method, url, headers, body)
    environ = dict(_empty(method, url))
    for name, value in headers.items():
        if name.lower() not in {"host", "content-length", "transfer-encoding"}:
            environ[environ_key_for_header(name)] = value.decode() if isinstance(value, bytes) else value
    environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    environ["moto.preserved_header_names"] = {}
    return Request(environ)


@cache
def _empty(method: str, url: str) -> dict[str, Any]:
    """The surroundings of a request to an address."""
    return _from_primitives(method, url, {}, b"").environ


def _structure(whole: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """An attribute that is text, a number or bytes is read at once; whatever else is, as before."""

    def read(parser: Any, shape: Any, value: Any) -> Any:
        if shape.name == "AttributeValue" and type(value) is dict and len(value) == 1:
            [(kind, content)] = value.items()
            if type(content) is str and kind in {"S", "N", "B"}:
                return {kind: parser._blob_parser(content) if kind == "B" else content}
        return whole(parser, shape, value)

    return read
