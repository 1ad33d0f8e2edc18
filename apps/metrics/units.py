"""What work costs in DynamoDB's capacity units: summed while a request, a job or an event is worked on, told at its end."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from apps.common import calls
from apps.common.calls import AwsCall
from apps.metrics.catalog import TABLE_UNITS
from apps.metrics.recording import observe

READS = frozenset({"GetItem", "Query", "BatchGetItem", "Scan", "TransactGetItems"})
OTHER = "other"  # threads that belong to no work, and commands
_spent: ContextVar[Counter[str] | None] = ContextVar("units spent", default=None)


def _count(call: AwsCall) -> None:
    if not call.units:
        return
    kind = "read" if call.operation in READS else "write"
    spent = _spent.get()
    if spent is None:
        observe(TABLE_UNITS, call.units, work=OTHER, kind=kind)
    else:
        spent[kind] += call.units  # type: ignore[assignment]  # a sum; threads of one work may lose one


@contextmanager
def spent_on(work: Callable[[], str]) -> Iterator[None]:
    """Count what the block spends as that of one kind of work, by a name that is known at its end.

    Within another's block it is counted here alone.
    """
    spent: Counter[str] = Counter()
    token = _spent.set(spent)
    try:
        yield
    finally:
        _spent.reset(token)
        for kind, units in spent.items():
            observe(TABLE_UNITS, units, work=work(), kind=kind)


calls.watch(_count)
