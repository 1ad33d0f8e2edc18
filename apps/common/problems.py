"""Errors as problem documents (RFC 9457): one shape for every error, no internals in it (I8)."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, JsonResponse
from pynamodb.exceptions import PynamoDBException
from rest_framework import exceptions
from rest_framework.response import Response

from apps.common import errors
from apps.common.errors import FieldError, PlatformError, UnsupportedMediaType
from apps.common.root_keys.interface import RootKeyUnavailable

log = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"
ADDRESS = "api/problems"


class MethodNotAllowed(PlatformError):
    status, type, title = 405, "method-not-allowed", "Method not allowed"


class NotAcceptable(PlatformError):
    status, type, title = 406, "not-acceptable", "Nothing that Accept names is answered here"


def type_of(problem: PlatformError | type[PlatformError]) -> str:
    """Return the address of the page that explains a kind of problem; its last part is the same in every installation."""
    return f"{settings.BASE_URL}/{ADDRESS}/{problem.type}"


def document(problem: PlatformError) -> dict[str, Any]:
    """Return a problem's members after RFC 9457; ``errors`` names the fields."""
    body: dict[str, Any] = {
        "type": type_of(problem),
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.errors:
        body["errors"] = [{"field": error.field, "message": error.message} for error in problem.errors]
    return body | dict(problem.members)


def _headers(problem: PlatformError) -> dict[str, str]:
    if isinstance(problem, errors.Unauthenticated):
        return {"WWW-Authenticate": 'ApiKey realm="api"'}
    seconds = getattr(problem, "retry_after_seconds", None)
    return {} if seconds is None else {"Retry-After": str(seconds)}


def response(problem: PlatformError) -> JsonResponse:
    """Answer with a problem where DRF does not: in middleware, and for Django's own error pages under /api/."""
    return JsonResponse(
        document(problem), status=problem.status, content_type=CONTENT_TYPE, headers=_headers(problem)
    )


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response:
    """Answer to an exception of a view with a problem document (a hook of DRF)."""
    problem = as_problem(exception)
    if problem.status >= 500:
        # The chain of causes is logged, never answered
        log.error("%s failed", type(context.get("view")).__name__, exc_info=exception)
    headers = _headers(problem)
    if isinstance(exception, exceptions.MethodNotAllowed) and "view" in context:
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    return Response(document(problem), status=problem.status, content_type=CONTENT_TYPE, headers=headers)


_SHOWN: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[PlatformError], str], ...] = (
    (Http404, errors.NotFound, "There is nothing at this address."),
    (PermissionDenied, errors.Forbidden, "You may not do this."),
    (RequestDataTooBig, errors.TooLarge, "The body is larger than this endpoint accepts."),
    (SuspiciousOperation, errors.Invalid, "The request is malformed."),
    (RootKeyUnavailable, errors.Unavailable, "The root key cannot be used right now. Try again."),
    (
        (PynamoDBException, BotoCoreError, ClientError),
        errors.Unavailable,
        "A service that this needs did not answer. Try again.",
    ),
)


def as_problem(exception: Exception) -> PlatformError:
    """Return what the caller is told about an exception."""
    if isinstance(exception, PlatformError):
        return exception
    if isinstance(exception, exceptions.ValidationError):
        found = list(field_errors(exception.detail))
        return errors.Invalid("; ".join(f"{e.field}: {e.message}" for e in found), errors=found)
    if isinstance(exception, exceptions.APIException):
        return _of_drf(exception)
    for kinds, problem, detail in _SHOWN:
        if isinstance(exception, kinds):
            return problem(detail)
    return PlatformError("The error was recorded. If it persists, tell the operator.")


def _of_drf(exception: exceptions.APIException) -> PlatformError:
    return _KINDS.get(exception.status_code, PlatformError)(str(exception.detail))


_KINDS: dict[int, type[PlatformError]] = {
    kind.status: kind
    for kind in (
        errors.Invalid,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.NotFound,
        errors.TooLarge,
        errors.HeadersTooLarge,
        errors.NotImplementedHere,
        MethodNotAllowed,
        NotAcceptable,
        UnsupportedMediaType,
    )
}
_OF_THE_SERVER = {
    400: "The request is malformed: it does not follow HTTP/1.1.",
    413: "The body is much larger than anything that is accepted here. Files go to S3, see POST /api/v1/files.",
    431: "Send fewer or shorter headers.",
    501: "Send the body with a Content-Length, or chunked and in no other transfer encoding.",
}


def of_status(status: int) -> PlatformError:
    """Return what the caller is told where the server in front refuses a request before the platform sees it."""
    detail = _OF_THE_SERVER.get(status, "The error was recorded. If it persists, tell the operator.")
    return _KINDS.get(status, PlatformError)(detail)


def field_errors(detail: Any, path: str = "") -> "Sequence[FieldError]":
    """Flatten DRF's nested error detail; fields are named like ``channel.distance_km``, ``items.0``."""
    if isinstance(detail, Mapping):
        nested = [(_inner(path, key), value) for key, value in detail.items()]
    elif isinstance(detail, list | tuple):
        nested = [(_numbered(path, number, value), value) for number, value in enumerate(detail)]
    else:
        return [FieldError(path or "body", str(detail))]
    return [error for inner, value in nested for error in field_errors(value, inner)]


def _inner(path: str, key: str) -> str:
    return path if key == "non_field_errors" else f"{path}.{key}".lstrip(".")


def _numbered(path: str, number: int, value: Any) -> str:
    """Name an item by its number where it is an object itself; a list of messages is its field's."""
    return f"{path}.{number}" if isinstance(value, Mapping) and value else path
