"""Starts the parts of the platform, watches them, starts again what ends or stands still, and ends them."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from apps.stack import layout, ports
from apps.stack.children import Child, remember, stop
from apps.stack.configuration import Configuration, commands
from apps.stack.pulse import LIVE_PATH, Pulse, of_parts
from apps.stack.restarts import Restarts
from apps.stack.telling import say

POLL_SECONDS = 0.05
START_SECONDS = 180.0
READY_SECONDS = 10.0  # what is not ready by then is said, and comes in the background
READY_PATH = f"{LIVE_PATH}/ready"
RECONNECTING = frozenset(
    {"aws", "prepare", "web", "relay", "kme"}
)  # these find the embedded AWS again by themselves
STOP_ORDER = (
    ("web", "kme"),
    ("relay", "worker", "custody", "prepare"),
    ("aws",),
)  # no new work, then no work, then its data


class StoppedByUser(Exception):
    """SIGINT, SIGTERM or SIGHUP."""


class ChildEnded(Exception):
    """A process that should run has ended, and is not started again."""

    def __init__(self, child: Child, reason: str = "") -> None:
        super().__init__(child.name)
        self.child = child
        self.reason = reason


class Supervisor:
    """Starts the children, watches them, starts again what ends, and ends them."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.children: dict[str, Child] = {}
        self.signals = 0
        secrets = layout.own_secrets(configuration.folder)
        self._environment = configuration.environment(os.environ, secrets)
        self._aws_environment = configuration.aws_environment(os.environ, secrets)
        self._commands = commands(configuration)
        self._restarts = Restarts()
        self._due: dict[str, float] = {}  # parts that are started again, and when
        self._pulses = of_parts(configuration)

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._signalled)

    def start(self) -> list[str]:
        """Bring everything up; returns once the console answers, with the names of what is not ready yet.

        Raises:
            ChildEnded, StoppedByUser, TimeoutError
        """
        # The console loads meanwhile; but until the keys of a backup are set aside, it would give them out again
        early = () if (self.configuration.folder / layout.RESTORED).exists() else ("web",)
        for name in ("aws", "prepare", *early):
            self._spawn(name)
        self._wait("the embedded AWS and its tables", lambda: self.children["prepare"].exit_code == 0)
        del self.children["prepare"]
        if not early:
            self._spawn("web")
        self._wait("the console", lambda: self._status(LIVE_PATH) == 200)
        ready = self._status(READY_PATH) == 200
        # After it: what loads beside the console makes it wait
        for name in ("relay", "worker", "custody", "kme"):
            if name in self._commands:
                self._spawn(name)
        deadline = time.monotonic() + READY_SECONDS
        while not ready:
            self._check()
            if time.monotonic() > deadline:
                return self._not_ready()
            time.sleep(POLL_SECONDS * 4)
            ready = self._status(READY_PATH) == 200
        return []

    def watch(self) -> None:
        """Show errors, and start again what ends or stands still, until something is given up.

        Raises:
            ChildEnded, StoppedByUser
        """
        for pulse in self._pulses.values():
            pulse.start()
        while True:
            if self.signals:
                raise StoppedByUser
            for child in list(self.children.values()):
                for line in child.new_errors():
                    say(f"[{child.name}] {line}")
                if child.exit_code is not None and child.name not in self._due:
                    self._ended(child, child.exit_code)
            for pulse in self._pulses.values():
                self._end_if_frozen(pulse)
            for name in [name for name, moment in self._due.items() if moment <= time.monotonic()]:
                del self._due[name]
                self._start_again(name)
            time.sleep(POLL_SECONDS * 4)

    def _ended(self, child: Child, exit_code: int) -> None:
        wait = self._restarts.wait_after(child.name, exit_code, now=time.monotonic())
        if wait is None:
            raise ChildEnded(child, self._restarts.reason(child.name, exit_code))
        child.kill()  # whatever is left of its group
        say(
            f"[{child.name}] ended with exit code {exit_code}, starting it again in {wait:.1f} s. Last lines:"
        )
        say(child.tail(5))
        self._due[child.name] = time.monotonic() + wait

    def _start_again(self, name: str) -> None:
        """Start a part again; where that fails it counts as one that ended, and comes later."""
        try:
            self._spawn(name)
        except OSError as error:
            wait = self._restarts.wait_after(name, 1, now=time.monotonic())
            if wait is None:
                raise ChildEnded(self.children[name], f"it cannot be started: {error.strerror}") from error
            say(f"[{name}] cannot be started ({error.strerror}), trying it again in {wait:.1f} s")
            self._due[name] = time.monotonic() + wait
            return
        if name in self._pulses:
            self._pulses[name].expect_later()  # whatever ended it: its journal may be long
        if name == "aws":
            self._renew_workers()

    def _renew_workers(self) -> None:
        """Start Celery's workers again: one whose connection was refused may go on without ever polling again.

        What they were at is sent to them again.
        """
        for child in self.children.values():
            if child.name not in RECONNECTING and child.exit_code is None:
                child.kill()
                self._due[child.name] = time.monotonic() + POLL_SECONDS

    def _end_if_frozen(self, pulse: Pulse) -> None:
        """A kill loses nothing: what was acknowledged is on the disk of the embedded AWS."""
        child = self.children[pulse.name]
        if pulse.frozen and child.exit_code is None:
            say(f"[{pulse.name}] has not answered for {pulse.patience:.0f} s")
            pulse.expect_longer()  # said and killed once
            child.kill()

    def stop(self) -> None:
        """End everything, in order; a second signal meanwhile kills."""
        self.signals = min(self.signals, 1)
        for pulse in self._pulses.values():
            pulse.stop()
        for names in STOP_ORDER:
            stop(
                (self.children[name] for name in names if name in self.children),
                forced=lambda: self.signals > 1,
            )
        (self.configuration.folder / "children.json").unlink(missing_ok=True)

    def _spawn(self, name: str) -> Child:
        folder = self.configuration.folder
        environment = self._aws_environment if name == "aws" else self._environment
        child = Child(name, self._commands[name], environment, folder / "logs")
        self.children[name] = child
        try:
            remember(folder / "children.json", self.children.values())
        except (
            OSError
        ) as error:  # a full disk, say: only a next start would want to know, if this process is killed
            say(f"[{name}] runs, and children.json does not say so: {error.strerror}")
        return child

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            self._check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} took more than {START_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)

    def _check(self) -> None:
        if self.signals:
            raise StoppedByUser
        for child in self.children.values():
            if child.exit_code is not None and not (child.name == "prepare" and child.exit_code == 0):
                raise ChildEnded(child)

    def _status(self, path: str) -> int | None:
        name = self.configuration.allowed_hosts.split(",")[0]
        return ports.status_of(self.configuration.reachable, self.configuration.port, path, host_header=name)

    def _not_ready(self) -> list[str]:
        """Names of what does not answer yet, as the first run's key may see them."""
        name = self.configuration.allowed_hosts.split(",")[0]
        headers = {"Host": name, "X-API-Key": _first_key(self.configuration.folder)}
        answer = ports.json_of(self.configuration.reachable, self.configuration.port, READY_PATH, headers)
        if answer is None:
            return ["the console"]
        unnamed = [] if answer.get("status") == "ok" else ["something that the platform needs"]
        return [check["name"] for check in answer.get("checks", []) if not check["ok"]] or unnamed

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self.signals += 1


def _first_key(folder: Path) -> str:
    try:
        return str(json.loads((folder / "first-run.json").read_text())["api_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
