"""A burst of sessions is judged whole: each once, by few calls, whatever is repeated or fails on the way (B1, B6)."""

import time
from collections import Counter

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from apps.common import clock
from apps.detections import services
from apps.detections.store import DetectionTable
from apps.sessions.records import SessionStatus
from apps.sessions.store import SessionTable
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS
from tests.detections.test_services import pending, template  # noqa: F401 - the fixture
from tests.events import stream_insert
from tests.faults import Fault, counted, injected

pytestmark = requirement("B1", "B6")
BATCH = 100  # records that the mapping brings at once
LINKS = 4


@pytest.mark.parametrize(
    "count", [60, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_a_burst_is_judged_whole_and_by_few_calls(template, count, capsys):  # noqa: F811
    burst = [pending(template, link=f"link-{number % LINKS}").session_id for number in range(count)]
    first, began = clock.now(), time.perf_counter()
    batches = [burst[start : start + BATCH] for start in range(0, count, BATCH)]
    with counted() as calls:
        for batch in batches:
            handler(stream_insert(*batch), None)
    seconds = time.perf_counter() - began
    made = Counter(calls)
    with injected(Fault.REFUSED, operation="TransactWriteItems"):
        handler(
            stream_insert(*batches[0]), None
        )  # the stream brings it again, all of it judged: nothing is written
    judged = Counter(row.session_id for row in DetectionTable.scan())
    assert judged == Counter(burst)
    states = Counter(row.status.value for row in SessionTable.scan() if row.session_id in judged)
    assert states == {SessionStatus.READY.value: count}
    # A session is read, its case looked for, and settled; beside that each batch reads its links' histories once
    per_batch = made.total() - 3 * count
    assert made["TransactWriteItems"] == count
    assert per_batch <= len(batches) * LINKS * 8 + 20
    with capsys.disabled():
        if count > BATCH:
            lag = (clock.now() - first).total_seconds()
            print(  # noqa: T201 - what docs/performance.md says
                f"\n{count} verdicts: {made.total()} calls, {seconds:.0f} s, the last {lag:.0f} s late: {made}"
            )


def test_what_fails_in_a_burst_is_named_and_judged_when_it_comes_again(template):  # noqa: F811
    burst = [pending(template, link=f"link-{number % LINKS}").session_id for number in range(12)]
    with injected(Fault.REFUSED, operation="TransactWriteItems", nth=5):
        try:
            handler(stream_insert(*burst), None)
        except BatchProcessingError:
            pytest.fail("only one of them failed")
    left = [one for one in burst if not DetectionTable.count(one)]
    assert left
    assert services.judge_overdue(seconds=-1, actor=TESTS) == len(left) + 1, "what they were copied from, too"
    assert all(DetectionTable.count(one) == 1 for one in burst)
