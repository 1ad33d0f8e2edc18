"""Processes that take quantum keys at once: ``python -m benchmarks.race [messages a process]`` on the embedded AWS.

Real processes, started at the same moment on the same stock, each encrypting messages one after the other. Counted are
the transactions that an encryption takes, how many of them were cancelled and on which table, and that no quantum key
was taken twice (I3). All share the machine's cores: the counts say how often processes meet, not how fast AWS is.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

PROCESSES = (1, 4, 8, 16)
MESSAGES = 24  # of each process: more than one block of a session of 1,024 keys
SESSION_KEYS, SESSIONS = 1024, 4
POOL_KEYS = 100


def main() -> None:
    """Race, and print what was counted."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    messages = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else MESSAGES
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOCAL_DIR"] = folder
        import django

        django.setup()
        from apps.audit.verification import verify
        from apps.keys import services as keys
        from benchmarks.report import load, table
        from tests.conftest import TESTS
        from tests.embedded import on_embedded_aws
        from tests.sessions.ready import long

        with on_embedded_aws(Path(folder) / "aws"):
            keys.create(POOL_KEYS, actor=TESTS)
            for _ in range(SESSIONS):
                long(SESSION_KEYS)
            rows, taken = [], []
            for number in PROCESSES:
                told = _race(number, messages)
                taken += told["taken"]
                rows.append(_row(number, told))
            twice = len(taken) - len(set(taken))
            problems = verify().problems
    print(f"\n{load()}")
    header = [
        "processes",
        "encryptions",
        "transactions each",
        "cancelled each",
        "by table",
        "keys taken twice",
    ]
    table(f"{messages} messages a process, at once, on the embedded AWS", header, rows)
    print(f"\n{len(taken)} quantum keys taken, {twice} of them twice; the trail verifies: {not problems}")
    if twice or problems:
        sys.exit(1)


def _row(number: int, told: dict[str, Any]) -> list[object]:
    done, cancelled = len(told["taken"]), Counter(told["cancelled"])
    tables = ", ".join(f"{name} {count / done:.2f}" for name, count in cancelled.most_common())
    return [
        number,
        done,
        f"{told['transactions'] / done:.2f}",
        f"{told['refused'] / done:.2f}",
        tables,
        done - len(set(told["taken"])),
    ]


def _race(number: int, messages: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.race_worker", str(messages)]
    racing = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(number)
    ]
    for one in racing:
        if one.stdout:
            one.stdout.readline()  # it is ready
    for one in racing:
        if one.stdin:
            one.stdin.write("go\n")
            one.stdin.flush()
    whole: dict[str, Any] = {"taken": [], "transactions": 0, "refused": 0, "cancelled": Counter()}
    for one in racing:
        answer = json.loads(one.communicate(timeout=300)[0])
        whole["taken"] += answer["taken"]
        whole["transactions"] += answer["transactions"]
        whole["refused"] += answer["refused"]
        whole["cancelled"] += Counter(answer["cancelled"])
    return whole


if __name__ == "__main__":
    main()
