"""A batch of stream records through the entry, as a Lambda event source mapping does it.

In order; what was done is not done again: from a reported failure on (ReportBatchItemFailures), or in
halves where the whole call failed (BisectBatchOnFunctionError). A record that fails for good goes to the
dead-letter queue and the stream goes on.
"""

from typing import Any

from apps.stack.invocation import Entry, bury, log_failure

Record = dict[str, Any]
MAX_RETRIES = (
    8  # of one record, after its first attempt: three minutes, far longer than an outage that passes
)
BATCH_SIZE = 100


class ReportedFailure(Exception):
    """The handler named a record in batchItemFailures."""


def deliver(entry: Entry, records: list[Record], *, source: str) -> None:
    """Settle every record: taken by the handler, or in the dead-letter queue.

    Raises:
        Stopping: before all were settled; the caller delivers the batch again.
    """
    waiting, attempts = [records], 0
    while waiting:
        batch = waiting.pop()
        try:
            failed = _first_failure(entry.call({"Records": batch}), batch)
            error: Exception = ReportedFailure()
        except Exception as raised:  # noqa: BLE001 - whatever a handler raises is its failure, not the relay's
            failed, error = 0, raised
            if len(batch) > 1:
                log_failure(source, 1, raised)
                half = len(batch) // 2
                waiting += [batch[half:], batch[:half]]
                continue
        if failed is None:
            attempts = 0
            continue
        # The attempts of the record that stands first; one that got there just now has had its first.
        attempts = attempts + 1 if failed == 0 else 1
        log_failure(source, attempts, error)
        if attempts > MAX_RETRIES:
            _bury(batch[failed], error, source, attempts)
            attempts, failed = 0, failed + 1
        else:
            entry.wait(attempts)
        if batch[failed:]:
            waiting.append(batch[failed:])


def _first_failure(answer: Any, batch: list[Record]) -> int | None:
    """The index of the first record reported as failed; an answer that is not understood fails the whole batch."""
    failures = (answer or {}).get("batchItemFailures") or []
    if not failures:
        return None
    sequences = [record["dynamodb"]["SequenceNumber"] for record in batch]
    named = [failure.get("itemIdentifier") for failure in failures]
    if any(name not in sequences for name in named):
        return 0
    return min(sequences.index(name) for name in named)


def _bury(record: Record, error: Exception, source: str, attempts: int) -> None:
    sequence = record["dynamodb"]["SequenceNumber"]
    bury(
        {"Records": [record]},
        error,
        source=source,
        condition="RetryAttemptsExhausted",
        attempts=attempts,
        DDBStreamBatchInfo={
            "streamArn": record["eventSourceARN"],
            "startSequenceNumber": sequence,
            "endSequenceNumber": sequence,
            "batchSize": 1,
        },
    )
