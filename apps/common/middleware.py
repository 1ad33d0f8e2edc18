"""The outermost layer: request ids, body size, problem documents for what the API did not catch, security headers."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from apps.common.errors import Invalid, PlatformError, TooLarge, UnsupportedMediaType
from apps.common.request_ids import HEADER, begin

API = "/api/"


def problem(error: PlatformError) -> HttpResponse:
    """Answer with a problem; the framework of the API is imported by the first, which a cold start can do without."""
    from apps.common import problems  # noqa: PLC0415 - see above

    return problems.response(error)


class RequestGuard:
    """Refuses bodies over the limit before anything reads them; gives every answer its id and the security headers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = begin(request.META)
        answer = self._refusal(request) or self.get_response(request)
        answer.headers[HEADER] = request_id
        answer.headers.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        answer.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        if request.path_info.startswith(API):
            answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    def _refusal(self, request: HttpRequest) -> HttpResponseBase | None:
        length = request.META.get("CONTENT_LENGTH") or "0"
        is_batch = request.path.startswith(API) and request.path.endswith("/batch")
        limit = settings.BATCH_BODY_MAX_BYTES if is_batch else settings.REQUEST_BODY_MAX_BYTES
        if not (length.isascii() and length.isdecimal()):
            return problem(Invalid("Content-Length is not a number. Send the number of bytes."))
        if int(length) > limit:
            return problem(
                TooLarge(
                    f"The body has {length} bytes. Send at most {limit}; files go to S3, see POST /api/v1/files."
                )
            )
        # JSON is UTF-8; Python knows "charsets" that unpack archives
        charset = (request.content_params or {}).get("charset", "utf-8")
        if charset.lower() not in {"utf-8", "utf8"}:
            return problem(UnsupportedMediaType(f"Send UTF-8, not {charset!r}."))
        encoding = request.headers.get("Content-Encoding", "identity")
        if request.path_info.startswith(API) and encoding.lower() != "identity":
            answer = problem(
                UnsupportedMediaType(f"Send the body as it is, without Content-Encoding: {encoding[:32]}.")
            )
            answer.headers["Accept-Encoding"] = "identity"
            return answer
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Answer under /api/ with a problem document, also to what Django raises outside a view."""
        if not request.path_info.startswith(API):
            return None
        from apps.common import problems  # noqa: PLC0415 - as above

        return problems.response(problems.as_problem(exception))
