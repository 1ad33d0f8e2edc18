"""What services raise. Each class knows its HTTP status and a stable ``type``; nothing else of HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of the input, and what is allowed."""

    field: str
    message: str


class PlatformError(Exception):
    """Base of everything that is told to a caller. The message says what to change."""

    status = 500
    type = "internal-error"
    title = "Something failed on our side"
    members: Mapping[str, object] = {}  # more of the answer, for programs (RFC 9457, extension members)

    def __init__(self, detail: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)


class Invalid(PlatformError):
    """The input cannot be accepted as it is."""

    status = 400
    type = "invalid-input"
    title = "The input is not valid"

    @classmethod
    def of(cls, field: str, message: str) -> "Invalid":
        """Make the error of one wrong field."""
        return cls(f"{field}: {message}", errors=[FieldError(field, message)])


class Unauthenticated(PlatformError):
    """The caller sent no credentials, or none that are valid."""

    status = 401
    type = "unauthenticated"
    title = "Credentials are missing or not valid"


class Forbidden(PlatformError):
    """The caller is known, but may not do this."""

    status = 403
    type = "forbidden"
    title = "Not allowed"


class NotFound(PlatformError):
    """There is no such record, or the caller may not know of it."""

    status = 404
    type = "not-found"
    title = "Not found"


class Refused(PlatformError):
    """The state of a record does not allow the operation."""

    status = 409
    type = "conflict"
    title = "Not possible in this state"


class TooLarge(PlatformError):
    """The body has more bytes than this address accepts."""

    status = 413
    type = "too-large"
    title = "The body is too large"


class UnsupportedMediaType(PlatformError):
    """The body is in a form that this address does not read."""

    status = 415
    type = "unsupported-media-type"
    title = "Send application/json"


class HeadersTooLarge(PlatformError):
    """The head of the request is longer than any of ours."""

    status = 431
    type = "headers-too-large"
    title = "The headers are too large"


class NotImplementedHere(PlatformError):
    """The request uses something of HTTP that is not served here."""

    status = 501
    type = "not-implemented"
    title = "Not served here"


class Unavailable(PlatformError):
    """A dependency does not answer; the same request can succeed later."""

    status = 503
    type = "unavailable"
    title = "Not available right now"
    retry_after_seconds = 5


def place_of(error: BaseException) -> str:
    """Say what was raised and where, without its message: that may quote what was being worked on (I2)."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(frames[-4:])}"
