"""Every call of AWS, told to whoever watches: how long it took, what it cost, how it ended; nothing of what it carried."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

log = logging.getLogger(__name__)
_BEGAN = "qkd_began"


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One call that ended, with the SDK's own retries. ``failure`` is empty where it succeeded, else AWS's code."""

    service: str
    operation: str
    began: float  # seconds since 1970
    seconds: float
    failure: str = ""
    units: float = 0.0  # DynamoDB's capacity units
    request_id: str = ""  # AWS's


Watcher = Callable[[AwsCall], None]
_watchers: list[Watcher] = []


def watch(watcher: Watcher) -> None:
    """Tell a function of every call from now on."""
    if watcher not in _watchers:
        _watchers.append(watcher)


def tell(service: str, operation: str, began: float, answer: Any = None, failure: str = "") -> None:
    """Tell the watchers of a call that ended; what one raises is logged, and fails no call."""
    met = answer if isinstance(answer, Mapping) else {}
    found = AwsCall(
        service=service,
        operation=operation,
        began=began,
        seconds=max(0.0, time.time() - began),
        failure=failure,
        units=units_of(met),
        request_id=str(met.get("ResponseMetadata", {}).get("RequestId", "")),
    )
    for watcher in _watchers:
        try:
            watcher(found)
        except Exception:
            log.exception("a call of %s is not accounted for", service)


def units_of(answer: Mapping[str, Any]) -> float:
    """The capacity units that an answer of DynamoDB tells of: one count, or one for each table."""
    told = answer.get("ConsumedCapacity") or ()
    each = [told] if isinstance(told, Mapping) else told
    return sum(float(one.get("CapacityUnits", 0.0)) for one in each)


def failure_of(error: BaseException) -> str:
    """AWS's code of a failure, or the kind of an exception; never its text."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "")) or type(error).__name__
    return type(error).__name__


def listen(client: Any) -> None:
    """Have a client of boto3 tell of its calls."""
    events = client.meta.events

    def begin(context: Any, **_: Any) -> None:
        context[_BEGAN] = time.time()

    def end(model: Any, context: Any, parsed: Any, **_: Any) -> None:
        error = parsed.get("Error", {}) if isinstance(parsed, Mapping) else {}
        failure = str(error.get("Code", ""))
        began = context.get(_BEGAN, time.time())
        tell(str(model.service_model.service_name), str(model.name), began, parsed, failure)

    def fail(context: Any, exception: BaseException, **told: Any) -> None:
        _, service, operation = f"{told.get('event_name')}..".split(".")[:3]
        tell(service, operation, context.get(_BEGAN, time.time()), failure=failure_of(exception))

    events.register("before-call.*.*", begin)
    events.register("after-call.*.*", end)
    events.register("after-call-error.*.*", fail)
