"""AWS's answers are taken whole or not at all.

botocore does not compare an answer's length with what its head announced (``enforce_content_length=False``): half a
JSON document is read as an empty result with status 200, so that a row which is there seems to be missing.
"""

from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

_BODILESS = frozenset({204, 304})


class TruncatedAnswer(ConnectionClosedError):
    """An answer ended before the length that it announced. A connection's failure, so botocore sends the call again."""

    fmt = '{actual} of {expected} bytes came from "{endpoint_url}".'


def install() -> None:
    """Compare lengths in every botocore session of this process: boto3's, PynamoDB's and Celery's. Idempotent."""
    if URLLib3Session.send is not _send_whole:
        URLLib3Session.send = _send_whole  # type: ignore[assignment,method-assign]


_send = URLLib3Session.send


def _send_whole(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
    answer = _send(session, request)
    # A streamed body checks its own length when it is read to the end; an error is never streamed.
    if not request.stream_output or answer.status_code >= 300:
        _check(request, answer)
    return answer


def _check(request: Any, answer: AWSResponse) -> None:
    announced = answer.headers.get("content-length")
    if announced is None or request.method == "HEAD" or answer.status_code in _BODILESS:
        return
    actual = len(answer.content)
    if actual != int(announced):
        raise TruncatedAnswer(
            error=None, request=request, endpoint_url=request.url, actual=actual, expected=announced
        )
