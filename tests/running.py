"""One ``make run`` in a process of its own: what a user starts, on free ports, with its data in a folder."""

import json
import os
import subprocess
import sys

import psutil

from apps.stack import testing
from apps.stack.configuration import ROOT
from tests.waiting import LIMIT_SECONDS


class Run:
    """One ``python -m apps.stack.run``."""

    def __init__(self, folder, *, prefix=(), **environment):
        self.folder = folder
        self.port, self.aws_port = testing.free_port(), testing.free_port()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE", "COV_"))}
        own = {"LOCAL_DIR": str(folder), "PORT": str(self.port), "AWS_PORT": str(self.aws_port)}
        own["JOURNAL_FSYNC"] = "0"  # the disk of many tests at once; tests/stack/test_power.py cuts the power
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "apps.stack.run"],
            cwd=ROOT,
            env=inherited | own | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""

    def ready(self) -> str:
        while "Sign-in" not in self.said and "shown once" not in self.said:
            assert self.process.stdout
            line = self.process.stdout.readline()
            assert line, self.said
            self.said += line
        return self.said

    def children(self) -> dict[str, psutil.Process]:
        known = json.loads((self.folder / "children.json").read_text())
        names = {"embedded": "aws", "web": "web", "relay": "relay", "celery": "worker"}
        return {
            "custody" if "--queues" in entry["command"] else names[name]: psutil.Process(entry["pid"])
            for entry in known
            for name in names
            if any(part.endswith(name) for part in entry["command"][1:3])
        }

    def ended(self, timeout=LIMIT_SECONDS) -> int:
        self.said += self.process.communicate(timeout=timeout)[0]
        return self.process.returncode

    def close(self) -> None:
        """Read no more of what it says."""
        assert self.process.stdout
        self.process.stdout.close()
