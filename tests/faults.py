"""Faults of AWS: one call of an operation fails, before or after AWS applied it.

    with injected(Fault.LOST, nth=3) as injection:
        do()
    injection.struck     # the call that failed, or None: the operation makes fewer than three

The SDK's own retries lie below: a fault here is what is left after them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Any, TypeVar
from unittest import mock

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

Call = Callable[[Any, str, dict[str, Any]], Any]
T = TypeVar("T")
URL = "https://aws.example"


class Fault(StrEnum):
    """What happens to a call."""

    REFUSED = "refused"  # AWS never saw it
    THROTTLED = "throttled"  # AWS saw it and did nothing
    LOST = "lost"  # applied, but its answer never came
    REPEATED = "repeated"  # likewise, and the SDK sent it again to a service without request tokens

    def happens(self, call: Call, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if self is Fault.REFUSED:
            raise EndpointConnectionError(endpoint_url=URL)
        if self is Fault.THROTTLED:
            s3 = client.meta.service_model.service_name == "s3"
            code = "SlowDown" if s3 else "ProvisionedThroughputExceededException"
            raise ClientError({"Error": {"Code": code, "Message": "slower, please"}}, operation)
        answer = call(client, operation, dict(arguments))
        if self is Fault.LOST:
            raise ReadTimeoutError(endpoint_url=URL)
        return call(client, operation, dict(arguments)) if _may_be_repeated(arguments) else answer


def _in_each_run(*faults: Fault) -> list[Any]:
    return [pytest.param(fault, marks=() if fault in faults else pytest.mark.slow) for fault in Fault]


# For the longer tables: make slow tries the other two, which leave what these leave
TELLING = _in_each_run(Fault.REFUSED, Fault.LOST)
# Where a table takes half a minute for each: what is done and not told leaves the most
LONGEST = _in_each_run(Fault.LOST)


def _may_be_repeated(arguments: dict[str, Any]) -> bool:
    return not hasattr(arguments.get("Body"), "read")


@dataclass
class Injection:
    """The calls that were made, and the one that failed."""

    calls: list[str] = field(default_factory=list)
    struck: str | None = None


@contextmanager
def watched(around: Callable[[Call, Any, str, dict[str, Any]], Any]) -> Iterator[None]:
    """Every AWS call goes through ``around(call, client, operation, arguments)``."""
    call: Call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def made(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        return around(call, client, operation, arguments)

    with mock.patch.object(BaseClient, "_make_api_call", made):
        yield


@contextmanager
def injected(fault: Fault, *, nth: int = 1, operation: str = "") -> Iterator[Injection]:
    """The ``nth`` call, counted from 1, meets the fault; those after it do not. Of one operation only, if named."""
    injection = Injection()

    def around(call: Call, client: Any, called: str, arguments: dict[str, Any]) -> Any:
        if not operation or called == operation:
            injection.calls.append(called)
            if len(injection.calls) == nth:
                injection.struck = called
                return fault.happens(call, client, called, arguments)
        return call(client, called, arguments)

    with watched(around):
        yield injection


@contextmanager
def counted() -> Iterator[list[str]]:
    """The names of the calls that are made."""
    calls: list[str] = []

    def around(call: Call, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        calls.append(operation)
        return call(client, operation, arguments)

    with watched(around):
        yield calls


def at_each_call(
    fault: Fault, prepare: Callable[[], T], attempt: Callable[[T], object]
) -> Iterator[tuple[str, T]]:
    """Attempt again and again, each time on something fresh and with the next of its calls failing.

    Yields ``"<n>: <operation>"`` and what was prepared after each, and ends after the attempt in which none failed.
    An attempt's own error is what the fault was made for.
    """
    for nth in count(1):
        subject = prepare()
        with injected(fault, nth=nth) as injection:
            try:
                attempt(subject)
            except Exception:
                if injection.struck is None:
                    raise
        yield f"{nth}: {injection.struck}", subject
        if injection.struck is None:
            return
