"""What goes wrong, one thing after another."""

import json
import random
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import boto3
import psutil
import requests
from botocore.exceptions import BotoCoreError, ClientError

from tests.torture.tortured import Platform

SERVICES = ("dynamodb", "streams", "s3", "sqs")
FAULTS = ("delay", "error", "throttle", "lost", "truncate", "twice")
PARTS = ("aws", "web", "relay", "worker", "custody")
QUEUES = ("upload-events", "jobs", "custody", "dead-letters")
MOST_KILLS = 3  # of one part in two minutes: six of them and the supervisor gives up
POISON = [
    "not JSON",
    "[]",
    '{"Records": []}',
    '{"manage": "migrate"}',
    "bm90IGpzb24=",
    '{"Records": [{"eventSource": "aws:sqs"}]}',
    '{"requestPayload": {"Records": [{"eventSource": "aws:dynamodb"}]}}',
]
# It was in the middle of a start, or another trick is under way
HINDERED = (
    psutil.Error,
    requests.RequestException,
    BotoCoreError,
    ClientError,
    subprocess.TimeoutExpired,
    OSError,
    KeyError,
    ValueError,
)
LEFT_BYTES = 10 * 2**20  # on a full disk: less than the embedded AWS keeps in reserve
STILL_SECONDS = (
    45  # longer than the supervisor lets the embedded AWS stand still, and than a silent job is left alone
)
JUMPS = (-7200, -600, 600, 7200, 26 * 3600)  # of the clock, in seconds


class Adversary(threading.Thread):
    """Does one of its tricks every few seconds until told to stop; ``done`` counts them."""

    def __init__(self, platform: Platform, stop: threading.Event, *, small_disk: bool) -> None:
        super().__init__(daemon=True)
        self.platform, self.stopped = platform, stop
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []
        self._kills: dict[str, deque[float]] = {}
        self.tricks: dict[Callable[[], None], int] = {
            self.kill: 6,
            self.freeze: 3,
            self.faults: 6,
            self.outage: 1,
            self.stand_still: 1,
            self.poison: 3,
            self.refuse_dead_letters: 2,
            self.resend: 3,
            self.two_workers: 1,
            self.revoke: 2,
            self.damage_checkpoints: 2,
            self.end_supervisor: 1,
        }
        if platform.clock.moves:
            self.tricks[self.jump] = 3
        if small_disk:
            self.tricks[self.fill_disk] = 1

    def run(self) -> None:
        while not self.stopped.wait(random.uniform(2, 8)):
            trick = random.choices(list(self.tricks), list(self.tricks.values()))[0]
            try:
                trick()
                self.platform.ensure_running()
            except HINDERED:
                self.done[f"{trick.__name__}, hindered"] += 1
                continue
            except AssertionError as error:
                self.failed.append(str(error)[-2000:])
                return
            self.done[trick.__name__] += 1
        self.calm()

    def calm(self) -> None:
        """No faults any more, the true time, and everything runs."""
        self._write({})
        self.platform.clock.move(0)
        (self.platform.folder / "filler").unlink(missing_ok=True)
        self.platform.ensure_running()

    def kill(self) -> None:
        name = random.choice(PARTS)
        kills = self._kills.setdefault(name, deque(maxlen=MOST_KILLS))
        if len(kills) == MOST_KILLS and time.monotonic() - kills[0] < 120:
            return
        kills.append(time.monotonic())
        self.platform.children()[name].kill()

    def freeze(self) -> None:
        self._hold(random.choice(("aws", *PARTS)), random.uniform(1, 8))

    def outage(self) -> None:
        """The embedded AWS stands still for longer than clients and workers wait."""
        self._hold("aws", 25)

    def stand_still(self) -> None:
        """A part stands still until the supervisor, or another worker, no longer waits for it, and comes back."""
        self._hold(random.choice(PARTS), STILL_SECONDS)

    def _hold(self, name: str, seconds: float) -> None:
        process = self.platform.children()[name]
        process.suspend()
        try:
            time.sleep(seconds)
        finally:
            process.resume()

    def two_workers(self) -> None:
        """The jobs of a worker that stands still are taken by another one; then both are at them, and one is killed."""
        another = self.platform.another_worker()
        try:
            self.resend()
            self._hold("worker", STILL_SECONDS)
            time.sleep(10)
            random.choice([psutil.Process(another.pid), self.platform.children()["worker"]]).kill()
        finally:
            another.kill()
            another.wait()

    def resend(self) -> None:
        """Every job that has not ended is delivered once more, to whoever has a thread free."""
        self.platform.beside("tests.torture.resend_script", seconds=120)

    def faults(self) -> None:
        self._with(
            {
                service: dict.fromkeys(random.sample(FAULTS, 3), random.choice([0.02, 0.05, 0.15]))
                for service in random.sample(SERVICES, 2)
            },
            random.uniform(4, 10),
        )

    def refuse_dead_letters(self) -> None:
        """The queue of dead letters takes nothing, while there is something to put into it."""
        self.poison()
        self._with({"dead-letters": {"error": 1.0}}, random.uniform(10, 20))

    def _with(self, mix: Any, seconds: float) -> None:
        self._write(mix)
        time.sleep(seconds)
        self._write({})

    def jump(self) -> None:
        """The clock is set, of all parts at once, and set right again; what was noted by it stays."""
        self.platform.clock.move(random.choice(JUMPS))
        time.sleep(random.uniform(5, 25))
        self.platform.clock.move(0)

    def poison(self) -> None:
        sqs = boto3.client(
            "sqs",
            endpoint_url=f"http://127.0.0.1:{self.platform.aws_port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        for name in QUEUES:
            url = sqs.get_queue_url(QueueName=f"qkd-local-{name}")["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=random.choice(POISON))

    def revoke(self) -> None:
        """A pool key is revoked, and its files are re-encrypted meanwhile."""
        keys = self.platform.call("GET", "keys?state=active").json()["items"]
        self.platform.call("POST", f"keys/{random.choice(keys)['key_id']}/revoke", {"reason": "torture"})

    def damage_checkpoints(self) -> None:
        (self.platform.folder / "checkpoints.json").write_text(random.choice(["", "{", "[]"]))
        self.platform.children()["relay"].kill()

    def end_supervisor(self) -> None:
        """kill -9, with which everything ends, and a start over what is left."""
        self.platform.process.kill()
        self.platform.process.wait()

    def fill_disk(self) -> None:
        filler = self.platform.folder / "filler"
        free = psutil.disk_usage(str(self.platform.folder)).free
        try:
            with filler.open("wb") as file:
                for _ in range(max(0, free - LEFT_BYTES) // 2**20):
                    file.write(bytes(2**20))
            time.sleep(6)
        finally:
            filler.unlink()

    def _write(self, mix: object) -> None:
        (self.platform.folder / "faults.json").write_text(json.dumps(mix))
