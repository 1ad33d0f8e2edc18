"""Clients, and their own log of what the platform acknowledged."""

import hashlib
import json
import os
import random
import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import requests

from qkdclient import Client as Library
from qkdclient import Problem, Unreachable
from tests.torture.tortured import Platform

SIZES = [0, 1, 1000, 200_000, 1_500_000]
PUT_ATTEMPTS = 6
MOST_WAITING = (
    20  # of a client's uploads, checks and jobs at a time: then it waits for the first, as clients do
)
RETRY_SECONDS = 60.0  # of the client library


class Log:
    """What was acknowledged, on the disk before anything else is done.

    Of a file whose new version was sent without an acknowledgement, either content is right.
    """

    def __init__(self, path: Path) -> None:
        self.folder = path.parent
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self.messages: list[tuple[str, Any]] = []
        self.files: dict[str, list[bytes]] = {}
        self._sent: dict[str, set[bytes]] = {}  # digests of all that a file ever was
        self.jobs: list[str] = []
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def note(self, kind: str, what: Any) -> None:
        with self._lock:
            self.counts[kind] += 1
            self._file.write(json.dumps([kind, what]) + "\n")
            self._file.flush()

    def send(self, file_id: str, content: bytes) -> None:
        """Note what a file will be if that arrives."""
        self.files.setdefault(file_id, []).append(content)
        self._sent.setdefault(file_id, set()).add(hashlib.sha256(content).digest())

    def is_of(self, file_id: str, content: bytes) -> bool:
        """Whether a file was this at some time: the version before is right until the new one is encrypted."""
        return hashlib.sha256(content).digest() in self._sent[file_id]

    def close(self) -> None:
        self._file.close()

    def count(self, kind: str) -> None:
        with self._lock:
            self.counts[kind] += 1


class Client(threading.Thread):
    """Does one thing after another until told to stop."""

    def __init__(self, platform: Platform, log: Log, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.platform, self.log, self.stopped = platform, log, stop
        self.own: list[str] = []  # files that nobody else replaces or moves
        self.waiting: deque[tuple[str, str, str | None]] = deque()  # what is shown at a path until it is done

    def run(self) -> None:
        actions = {
            self.encrypt: 6,
            self.upload: 3,
            self.upload_encrypted_here: 2,
            self.replace: 1,
            self.archive: 1,
            self.restore: 1,
            self.read: 3,
            self.batch: 1,
            self.generate: 1,
        }
        while not self.stopped.is_set():
            try:
                random.choices(list(actions), list(actions.values()))[0]()
            except (requests.RequestException, Problem, Unreachable, KeyError, ValueError):
                self.log.count("failed")
                time.sleep(0.3)

    def _posted(self, path: str, body: Any = None) -> Any:
        answer = self.platform.call("POST", path, body)
        if not answer.ok:
            self.log.count(f"answered {answer.status_code}")
            time.sleep(0.1)
            raise ValueError(answer.status_code)
        return answer.json()

    def _make_room(self) -> None:
        """Pass over what was done of what this client has waited for longest; with too much left it asks for no more.

        Else the backlog is what hours of faults let through, and to be worked off within ten minutes whatever the machine.
        """
        for _ in range(len(self.waiting)):
            path, field, until = self.waiting[0]
            answer = self.platform.call("GET", path)
            if not answer.ok or (answer.json().get(field) == until):
                self.waiting.rotate(-1)  # another one is looked at the next time: this one may take long
                break
            self.waiting.popleft()
        if len(self.waiting) >= MOST_WAITING:
            self.log.count("waited for what it had asked for")
            time.sleep(0.3)
            raise ValueError(self.waiting[0])

    def encrypt(self) -> None:
        text = os.urandom(random.choice([1, 40, 4000])).hex()
        package = self._posted("encrypt", {"plaintext": text, "context": "torture"})
        self.log.messages.append((text, package))
        self.log.note("message", [text, package])

    def upload(self) -> None:
        self._make_room()
        target = self._posted("files", {"name": "tortured.bin"})
        content = os.urandom(random.choice(SIZES))
        if self._is_put(target["upload_url"], content):
            self._acknowledged("file", target["file"]["file_id"], content)
            self.waiting.append((f"files/{target['file']['file_id']}", "status", "awaiting_upload"))

    def _acknowledged(self, kind: str, file_id: str, content: bytes) -> None:
        self.log.send(file_id, content)
        self.own.append(file_id)
        self.log.note(kind, file_id)

    def _is_put(self, url: str, content: bytes) -> bool:
        for _ in range(PUT_ATTEMPTS):
            try:
                if requests.put(url, data=content, timeout=60).ok:
                    return True
            except requests.RequestException:
                pass
            time.sleep(0.5)
        return False

    def upload_encrypted_here(self) -> None:
        """By the client library: the platform never has the plaintext."""
        self._make_room()
        path = self.log.folder / f"local-{threading.get_ident()}.bin"
        path.write_bytes(os.urandom(random.choice(SIZES)))
        library = Library(
            self.platform.url.removesuffix("/api/v1"), self.platform.key, retry_seconds=RETRY_SECONDS
        )
        file = library.upload(path, local=True)
        self._acknowledged("file encrypted here", file["file_id"], path.read_bytes())
        self.waiting.append((f"files/{file['file_id']}", "digest_by", "client"))

    def replace(self) -> None:
        """Upload another version of a file of one's own, whose content is not changing already."""
        file_id = random.choice(self.own or [""])
        if self._read_file(file_id) != self.log.files[file_id][0] or len(self.log.files[file_id]) > 1:
            raise ValueError(file_id)
        target = self._posted(f"files/{file_id}/versions", {})
        content = os.urandom(random.choice(SIZES))
        self.log.send(file_id, content)
        if self._is_put(target["upload_url"], content):
            self.log.files[file_id] = [content]
            self.log.note("version", file_id)

    def archive(self) -> None:
        self._posted(f"files/{random.choice(self.own or [''])}/archive", {})
        self.log.count("archived")

    def restore(self) -> None:
        self._posted(f"files/{random.choice(self.own or [''])}/restore")
        self.log.count("restored")

    def read(self) -> None:
        if self.log.messages and random.random() < 0.6:
            text, package = random.choice(self.log.messages)
            answer = self._posted("decrypt", {**package, "context": "torture"})
            if answer["plaintext"] != text:
                self.log.wrong.append("a message came back as another")
            self.log.count("read")
        elif self.own:
            self._read_file(random.choice(self.own))

    def _read_file(self, file_id: str) -> bytes:
        answer = self.platform.call("GET", f"files/{file_id}/content")
        if not answer.ok:
            self.log.count(f"answered {answer.status_code}")
            raise ValueError(answer.status_code)
        if not self.log.is_of(file_id, answer.content):
            self.log.wrong.append(f"file {file_id} came back as another")
        self.log.count("read")
        return answer.content

    def batch(self) -> None:
        self._make_room()
        job = self._posted("qkd/batches", {"count": 2, "key_length": 256})
        self.log.jobs.append(job["job_id"])
        self.log.note("job", job["job_id"])
        self.waiting.append((f"jobs/{job['job_id']}", "ended_at", None))

    def generate(self) -> None:
        made = self._posted("qkd/generate", {"key_length": 4096, "error_rate": 0.02})
        self.log.note("session", made["session_id"])
