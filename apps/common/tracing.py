"""Which request led to what is done now: its id and its trace go with every job, event and message that follows.

Where work leaves a process it takes ``carried()`` with it, as one text; whoever goes on with it enters that. So the id that
the API gave back with an answer stands in every line of the log, entry of the trail, job and notice that followed.

A trace is that of W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context-1/): a caller's ``traceparent`` is gone
on with, else the gateway's ``X-Amzn-Trace-Id``; else the trace's id is made from the request's, and TRACE_SAMPLE of them
are recorded.
"""

import hashlib
import logging
import random
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token, copy_context
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from django.conf import settings

P = ParamSpec("P")
T = TypeVar("T")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Versions to come may add fields, after a dash; ff is none
_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_AMAZON = re.compile(r"(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;|$)")
PARENT_LENGTH = 512
SAMPLED = 1
RECORDED = "+"  # in no id


def _new_span() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Trace:
    """The request that led to what is done now, and this process's own part in its trace."""

    request_id: str
    trace_id: str  # 32 hexadecimal digits
    sampled: bool = False
    span_id: str = field(default_factory=_new_span)

    @property
    def traceparent(self) -> str:
        """As W3C has it, for who is called from here."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"

    @property
    def amazon(self) -> str:
        """Likewise, as X-Ray has it."""
        root = f"1-{self.trace_id[:8]}-{self.trace_id[8:]}"
        return f"Root={root};Parent={self.span_id};Sampled={int(self.sampled)}"

    @property
    def is_given(self) -> bool:
        """Return whether the trace's id came from outside, so that the request's does not tell it."""
        return self.trace_id != _trace_id_of(self.request_id)


_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)
_about: ContextVar[Mapping[str, str]] = ContextVar("about", default={})  # noqa: B039 - never changed


def _trace_id_of(request_id: str) -> str:
    """The id of a trace that begins with a request: of a UUID, its digits."""
    digits = request_id.replace("-", "").lower()
    if re.fullmatch(r"[0-9a-f]{32}", digits) and int(digits, 16):
        return digits
    return hashlib.sha256(request_id.encode()).hexdigest()[:32]


def of_request(request_id: str, *, traceparent: str = "", amazon: str = "") -> Trace:
    """The trace of a request: the one that its caller is in, else a new one.

    Args:
        request_id: of the request.
        traceparent: the header, as it came.
        amazon: ``X-Amzn-Trace-Id``, as it came.
    """
    found = _parent(traceparent)
    if found is None and (root := _AMAZON.search(amazon[:PARENT_LENGTH])) is not None:
        found = root[1] + root[2], "Sampled=1" in amazon
    trace_id, sampled = found or (_trace_id_of(request_id), random.random() < settings.TRACE_SAMPLE)  # noqa: S311 - no secret
    return Trace(request_id, trace_id, sampled)


def _parent(text: str) -> tuple[str, bool] | None:
    """The trace's id and whether it is recorded; nothing of what is no ``traceparent``, which starts a new trace."""
    read = _PARENT.fullmatch(text.strip()) if len(text) <= PARENT_LENGTH else None
    if read is None or (read[1] == "00" and read[5]) or not int(read[2], 16) or not int(read[3], 16):
        return None
    return read[2], bool(int(read[4], 16) & SAMPLED)


def carried() -> str | None:
    """The trace under way, as a record or a message takes it along; None outside of one.

    The request's id, which tells the trace's where that was not given; a ``+`` where it is recorded. Short, as rows of
    nearly a kilobyte cost twice as much with a few bytes more.
    """
    found = _trace.get()
    if found is None:
        return None
    if found.is_given:
        return f"{found.traceparent} {found.request_id}"
    return f"{found.request_id}{RECORDED if found.sampled else ''}"


def of_text(text: object) -> Trace | None:
    """The trace that was carried; None of anything else."""
    if not isinstance(text, str):
        return None
    parent, space, given = text.partition(" ")
    if space:
        found = _parent(parent)
        return Trace(given, *found) if found is not None and _ID.fullmatch(given) else None
    request_id = text.removesuffix(RECORDED)
    if not _ID.fullmatch(request_id):
        return None
    return Trace(request_id, _trace_id_of(request_id), sampled=request_id != text)


def of_detail(detail: Mapping[str, Any]) -> Trace | None:
    """The trace that an entry of the trail tells of; None where it tells of none."""
    request_id = detail.get("request_id")
    if not isinstance(request_id, str) or not _ID.fullmatch(request_id):
        return None
    told = detail.get("trace_id")
    is_trace = isinstance(told, str) and re.fullmatch(r"[0-9a-f]{32}", told)
    return Trace(request_id, str(told) if is_trace else _trace_id_of(request_id))


def as_detail() -> dict[str, str]:
    """What an entry of the trail says of the trace under way; nothing outside of one."""
    found = _trace.get()
    if found is None:
        return {}
    given = {"trace_id": found.trace_id} if found.is_given else {}
    return {"request_id": found.request_id} | given


def as_headers() -> dict[str, str]:
    """The header for who is called from here; nothing outside of a trace."""
    found = _trace.get()
    return {} if found is None else {"traceparent": found.traceparent}


def current() -> Trace | None:
    """The trace under way."""
    return _trace.get()


def begin(trace: Trace) -> None:
    """Begin with a request: what is done from here on follows from it, until ``forget``."""
    _trace.set(trace)
    _about.set({})


def forget() -> None:
    """End what ``begin`` began."""
    _trace.set(None)
    _about.set({})


@contextmanager
def entered(trace: Trace | None, **about: str | None) -> Iterator[None]:
    """Go on with a trace in the block, and name what it is about in every line of the log; without one, with that under way.

    Args:
        trace: that is gone on with.
        about: ids, such as ``job_id``.
    """
    known = {name: told for name, told in about.items() if told}
    before: Token[Trace | None] | None = _trace.set(trace) if trace is not None else None
    named = _about.set({**_about.get(), **known})
    try:
        yield
    finally:
        _about.reset(named)
        if before is not None:
            _trace.reset(before)


def in_thread(call: Callable[P, T]) -> Callable[P, T]:
    """The function, as a thread is to run it: it goes on with the trace that is under way here."""
    context = copy_context()

    def run(*args: P.args, **named: P.kwargs) -> T:
        return context.run(call, *args, **named)

    return run


def ids() -> dict[str, str]:
    """What every line of the log says: the request, its trace, and what is worked on."""
    found = _trace.get()
    told = {} if found is None else {"request_id": found.request_id, "trace_id": found.trace_id}
    return {**told, **_about.get()}


class WithIds(logging.Filter):
    """Adds the ids to what is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, told in ids().items():
            if not hasattr(record, name):
                setattr(record, name, told)
        return True


class Plain(logging.Formatter):
    """A line for a terminal, with the ids at its end."""

    def format(self, record: logging.LogRecord) -> str:
        told = " ".join(f"{name}={value}" for name, value in ids().items())
        line = super().format(record)
        if not told:
            return line
        first, *rest = line.split("\n")
        return "\n".join([f"{first} [{told}]", *rest])
