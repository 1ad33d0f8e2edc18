"""Failures that pass by themselves: the same call can succeed later, so the work waits instead of ending."""

from botocore import exceptions as botocore
from botocore.exceptions import ClientError

from apps.common.errors import Unavailable

THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "KMSThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
        "RequestTimeout",
    }
)
"""Codes of AWS's that a later call does not meet; beside them every answer with a 5xx status."""
_NO_ANSWER = (
    botocore.ConnectionError,
    botocore.HTTPClientError,  # time-outs, connections that closed, proxies
    botocore.IncompleteReadError,
    ConnectionError,
    TimeoutError,
)


def code_of(error: BaseException) -> str:
    """Return AWS's code of an error of PynamoDB's, empty where AWS did not answer: there PynamoDB's own property fails."""
    answer = getattr(getattr(error, "cause", None), "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))


def is_transient(error: BaseException) -> bool:
    """Return whether an error, or what it was raised from, passes by itself: no answer, throttling, unavailable."""
    at: BaseException | None = error
    seen: set[int] = set()
    while at is not None and id(at) not in seen:
        if _passes(at):
            return True
        seen.add(id(at))
        cause = getattr(at, "cause", None)  # where PynamoDB keeps what botocore raised
        at = cause if isinstance(cause, BaseException) else at.__cause__
    return False


def _passes(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(is_transient(one) for one in error.exceptions)
    if isinstance(error, ClientError):
        answer = error.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return answer.get("Error", {}).get("Code") in THROTTLED or status == 429 or status >= 500
    return isinstance(error, (*_NO_ANSWER, Unavailable))
