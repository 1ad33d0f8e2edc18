"""The whole platform as ``make run`` starts it, or a deployed stage, and its API over HTTP.

``make e2e URL=https://…`` tries a stage: E2E_URL is its address, QKD_API_KEY an administrator's key. Tests that look
behind the API (``local``) are skipped then.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.running import Run
from tests.waiting import LIMIT_SECONDS

STAGE = os.environ.get("E2E_URL", "").rstrip("/")
local = pytest.mark.skipif(bool(STAGE), reason="looks behind the API of a platform on this machine")
WAIT_SECONDS = (
    480  # a job whose worker was killed is taken up 40 to 90 s later; only what never comes takes as long
)


class Platform:
    """A running platform and the administrator's API key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        """Start it, a first time or again."""
        self.run = Run(self.folder)
        self.run.ready()
        self.first_run = json.loads((self.folder / "first-run.json").read_text())
        self.url = f"http://127.0.0.1:{self.run.port}/api/v1"

    def stop(self) -> int:
        """As Ctrl-C does; the exit code."""
        self.run.process.terminate()
        return self.run.ended()

    def kill(self, name: str) -> None:
        """kill -9 one process of the run, then the supervisor, with which all others end."""
        self.run.children()[name].kill()
        self.run.process.kill()
        self.run.ended()

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Call the API with the key of the first run."""
        headers = {"X-API-Key": self.first_run["api_key"]}
        return requests.request(
            method, f"{self.url}/{path}", json=body, headers=headers, timeout=LIMIT_SECONDS
        )

    def get(self, path: str) -> Any:
        """The JSON answer of a GET that must succeed."""
        answer = self.call("GET", path)
        assert answer.ok, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        """The JSON answer of a POST that must succeed."""
        answer = self.call("POST", path, body)
        assert answer.ok, answer.text
        return answer.json()

    def upload(self, name: str, content: bytes, **fields: Any) -> str:
        """Announce and PUT a file; its id."""
        upload = self.post("files", {"name": name, **fields})
        assert requests.put(upload["upload_url"], data=content, timeout=LIMIT_SECONDS).ok
        return str(upload["file"]["file_id"])

    def downloaded(self, file_id: str) -> bytes:
        """A file's bytes, by a presigned URL; a large file is decrypted by a job first."""
        answer = eventually(lambda: self.post(f"files/{file_id}/download"), lambda found: found.get("url"))
        return requests.get(answer["url"], timeout=LIMIT_SECONDS).content


class Deployed(Platform):
    """A stage that runs already, wherever it is."""

    def __init__(self, address: str, api_key: str) -> None:
        self.url = f"{address}/api/v1"
        self.first_run = {"api_key": api_key, "console_url": f"{address}/admin/"}


def eventually(read: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """What ``read`` gives once it is as wanted."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not wanted(found := read()):
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for the tests of a module."""
    if STAGE:
        yield Deployed(STAGE, os.environ["QKD_API_KEY"])
        return
    made = Platform(tmp_path_factory.mktemp("platform") / "local")
    yield made
    if made.run.process.poll() is None:
        made.stop()
    if made.run.process.stdout:
        made.run.process.stdout.close()
