"""What an operation costs on AWS: write units by AWS's size rules, read units, calls. docs/operation-costs.md is made from it.

Counted on a process in steady state: what it does once a minute is left out, what it does once a block of quantum keys
is in the average.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from apps.audit.services import transaction
from apps.detections import services as detections
from apps.files import store
from apps.files.keys import rewrap
from apps.jobs import control
from apps.jobs import services as jobs
from apps.jobs.records import Job
from apps.keys import services as keys
from apps.sessions import services as sessions
from apps.sessions.job_kinds import SessionJob
from apps.sessions.services import GenerateRequest
from tests.conftest import TESTS, Api
from tests.custody.files import rows_under
from tests.faults import counted
from tests.read_units import counted_read_units
from tests.uploads import deliver, registered
from tests.write_units import counted_units

MESSAGE = {"plaintext": "x" * 1024}
S3 = {
    "PutObject",
    "GetObject",
    "HeadObject",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operation costs, on average of those counted."""

    write_units: float
    read_units: float
    calls: float
    s3_calls: float


def measure(work: Callable[[], object], *, per: int = 1) -> Cost:
    """The cost of each of the ``per`` operations that ``work`` does. It is called three times."""
    with counted_units(single=True) as writes:
        work()
    with counted_read_units() as reads:
        work()
    with counted() as made:
        work()
    calls = Counter(made)
    to_s3 = sum(number for name, number in calls.items() if name in S3)
    return Cost(sum(writes.values()) / per, sum(reads) / per, calls.total() / per, to_s3 / per)


def measured(api: Api) -> dict[str, Cost]:
    """The cost of every operation, on a platform with pool keys and a stock of large sessions."""
    sealed = [api.post("encrypt", MESSAGE).json() for _ in range(3)]
    uploads = [registered(api) for _ in range(4)]
    for upload in uploads:
        deliver(upload.event)
    to_delete = iter(uploads)
    _run_session()  # the first over a link makes that, too
    return {
        "encrypt a message": measure(lambda: [api.post("encrypt", MESSAGE) for _ in range(16)], per=16),
        "decrypt a message": measure(lambda: api.post("decrypt", sealed[-1])),
        "upload a file": measure(lambda: deliver(registered(api).event)),
        "read a file": measure(lambda: api.get(f"files/{uploads[-1].file_id}/content")),
        "list 5 of some files": measure(partial(_list_files, api)),
        "delete a file": measure(lambda: api.delete(f"files/{next(to_delete).file_id}")),
        "re-wrap a file": measure(_Rewrapping(), per=rewrap.BATCH),
        "run a session of 256 bits, and judge it": measure(_run_session),
        "a heartbeat of a job": measure(partial(control.beat, _job())),
    }


def _run_session() -> None:
    made = sessions.generate(GenerateRequest(key_length=256, error_rate=0.01), actor=TESTS)
    detections.judge(made.session_id, actor=TESTS)


def _job() -> Job:
    new = jobs.new(SessionJob.GENERATE, total=3, parameters={}, actor=TESTS)
    with transaction(TESTS) as tx:
        new = jobs.put(tx, new)
    started = control.start(new.job_id)
    if started is None:
        raise RuntimeError(f"{new.job_id} did not start.")
    return started


def _list_files(api: Api) -> Any:
    return api.get("files?limit=5")


class _Rewrapping:
    """Moves the same files from key to key, as many as one transaction takes."""

    def __init__(self) -> None:
        self.source = keys.choose()
        self.file_ids = list(rows_under(self.source, rewrap.BATCH))

    def __call__(self) -> None:
        target = keys.choose(but=self.source.key_id)
        files = store.files_of(self.file_ids)
        done = rewrap.rewrap_files(files, source=self.source, target=target, actor=TESTS)
        if done.count != rewrap.BATCH:
            raise RuntimeError(f"{done} were re-wrapped.")
        self.source = target
