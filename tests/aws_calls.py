"""The calls of AWS that the platform's own code makes, as botocore is about to send them.

``RECORD_AWS_CALLS=build/aws-calls make test`` writes what each process of a run of tests recorded; then
``python -m tests.aws_calls build/aws-calls`` holds it against the roles, both ways.
"""

import atexit
import importlib
import json
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import django
from botocore import handlers

ROOT = Path(__file__).resolve().parents[1]
OURS = tuple(f"{ROOT / package}{os.sep}" for package in ("apps", "qkdplatform"))
EMBEDDED = str(ROOT / "apps" / "stack") + os.sep
# Every call of PynamoDB passes it, a test's own, too
PASSED = str(ROOT / "apps" / "common" / "dynamodb" / "connection.py")
TESTS = str(ROOT / "tests") + os.sep
AROUND = {
    "aws_calls",
    "conftest",
    "fault_table",
    "moto_answers",
    "moto_glue",
    "moto_transactions",
}  # stand around any call
# Not made in the cloud: there the stacks make tables, and the settings tell queues' addresses, so that none is looked for
ELSEWHERE = {"dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:UpdateTimeToLive", "sqs:ListQueues"}
recorded: set[str] | None = None  # ``service:Operation``; None while nothing is recorded


def install() -> None:
    """Let every session of botocore that begins from now on tell its calls; record all where a folder is named."""
    global recorded  # noqa: PLW0603 - one process, one record
    handlers.BUILTIN_HANDLERS.append(("before-call", _told))
    if folder := os.environ.get("RECORD_AWS_CALLS"):
        recorded = set()
        atexit.register(_write, Path(folder))


def _told(model: Any, **_: object) -> None:
    if recorded is not None and _is_by_us():
        recorded.add(f"{model.service_model.service_name}:{model.name}")


def _is_by_us() -> bool:
    """Return whether the platform's own code stands behind a call, and not a test's or the embedded stack's."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(OURS) and name != PASSED:
            return not name.startswith(EMBEDDED)
        if name.startswith(TESTS) and Path(name).stem not in AROUND:
            return False
        frame = frame.f_back
    return False


def _write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{os.getpid()}.json").write_text(json.dumps(sorted(recorded or ())))


def main(folder: str) -> int:
    """Print what was recorded beside what the roles allow; return 1 where a call is not allowed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    # By its name: those tests record by this module, and none imports itself by way of others
    table: Any = importlib.import_module("tests.deploy.test_rights")
    seen = {call for path in Path(folder).glob("*.json") for call in json.loads(path.read_text())} - ELSEWHERE
    allowed, wanted = table.allowed(), table.needed(seen)
    for call in sorted(seen):
        actions = table.ACTIONS.get(call, [call])
        told = (action if action in allowed else f"MISSING {action}" for action in actions)
        sys.stdout.write(f"{call:40} {', '.join(told)}\n")
    unseen = ", ".join(sorted(allowed - wanted - table.BY_AWS))
    sys.stdout.write(f"Allowed, and not seen in this run: {unseen or 'nothing'}\n")
    return 1 if wanted - allowed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
