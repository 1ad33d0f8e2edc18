"""``python -m apps.stack.run``: the whole platform on this machine, until Ctrl-C.

Exit codes: 0 stopped as asked, 1 a part of it ended, 2 it could not start as configured.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from apps.stack import layout, ports
from apps.stack.children import Child, end_leftovers, remember, stop
from apps.stack.configuration import BadConfiguration, Configuration, check_machine, commands

POLL_SECONDS = 0.05
START_SECONDS = 180.0
READY_PATH = "/api/v1/health/ready"
STOP_ORDER = (("web",), ("relay", "worker", "prepare"), ("aws",))  # no new work, then no work, then its data


class StoppedByUser(Exception):
    """SIGINT, SIGTERM or SIGHUP."""


class ChildEnded(Exception):
    """A process that should run has ended."""

    def __init__(self, child: Child) -> None:
        super().__init__(child.name)
        self.child = child


class Supervisor:
    """Starts the children, watches them and ends them."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.children: dict[str, Child] = {}
        self.signals = 0
        secrets = layout.own_secrets(configuration.folder)
        self._environment = configuration.environment(os.environ, secrets)
        self._aws_environment = configuration.aws_environment(os.environ)
        self._commands = commands(configuration)

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._signalled)

    def start(self) -> None:
        """Bring everything up; returns when the console answers.

        Raises:
            ChildEnded, StoppedByUser, TimeoutError
        """
        for name in ("aws", "prepare", "web"):  # the console loads meanwhile; nobody knows of it yet
            self._spawn(name)
        self._wait("the tables", lambda: self.children["prepare"].exit_code == 0)
        del self.children["prepare"]
        for name in ("relay", "worker"):
            self._spawn(name)
        self._wait("the console", self._web_answers)

    def watch(self) -> None:
        """Show errors until something ends.

        Raises:
            ChildEnded, StoppedByUser
        """
        while True:
            self._check()
            for child in self.children.values():
                for line in child.new_errors():
                    say(f"[{child.name}] {line}")
            time.sleep(POLL_SECONDS * 4)

    def stop(self) -> None:
        """End everything, in order; a second signal meanwhile kills."""
        self.signals = min(self.signals, 1)
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
        remember(folder / "children.json", self.children.values())
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

    def _web_answers(self) -> bool:
        configuration = self.configuration
        name = configuration.allowed_hosts.split(",")[0]
        return (
            ports.status_of(configuration.reachable, configuration.port, READY_PATH, host_header=name) == 200
        )

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self.signals += 1


def main() -> int:
    """Run until stopped; returns the exit code."""
    os.umask(0o077)
    began = time.monotonic()
    with contextlib.ExitStack() as held:
        try:
            check_machine()
            configuration = Configuration.read(os.environ)
            layout.make(configuration.folder)
            held.enter_context(layout.lock(configuration.folder))
            layout.check_version(configuration.folder)
            layout.check_keys(configuration.folder, root_key_lost=os.environ.get("ROOT_KEY_LOST") == "1")
            left = end_leftovers(configuration.folder / "children.json")
            _check_ports(configuration)
            supervisor = Supervisor(configuration)
        except (BadConfiguration, layout.Unusable) as problem:
            say(f"Cannot start: {problem}", error=True)
            return 2
        if left:
            say(f"Ended {len(left)} processes that an earlier run had left behind.")
        return _supervise(supervisor, began)


def _supervise(supervisor: Supervisor, began: float) -> int:
    first = not (supervisor.configuration.folder / "first-run.json").exists()
    supervisor.listen()
    code = 1
    try:
        supervisor.start()
        _announce(supervisor.configuration, time.monotonic() - began, first=first)
        supervisor.watch()
    except StoppedByUser:
        say("\nStopping ... (Ctrl-C again to kill)")
        code = 0
    except ChildEnded as ended:
        child = ended.child
        say(f"{child.name} ended with exit code {child.exit_code}. Last lines of {child.log}:", error=True)
        say(child.tail(), error=True)
    except TimeoutError as error:
        say(f"Gave up: {error}. Logs: {supervisor.configuration.folder / 'logs'}", error=True)
    finally:
        supervisor.stop()
    if code == 0:
        say("Stopped.")
    return code


def _check_ports(configuration: Configuration) -> None:
    for name, host, port in (
        ("PORT", configuration.bind, configuration.port),
        ("AWS_PORT", "127.0.0.1", configuration.aws_port),
    ):
        if not ports.is_free(host, port):
            holder = ports.holder(port)
            by = f" by {holder}" if holder else ""
            raise BadConfiguration(
                f"port {port} on {host} is taken{by}. Stop that, or choose another: {name}={port + 1} make run"
            )


def _announce(configuration: Configuration, seconds: float, *, first: bool) -> None:
    url = configuration.base_url
    lines = [
        f"Ready in {seconds:.1f} s. Ctrl-C stops it.",
        f"  Console   {url}/admin/",
        f"  API       {url}/api/v1",
        f"  API docs  {url}/api/docs",
        f"  Data      {configuration.folder}",
    ]
    path = configuration.folder / "first-run.json"
    if first:
        made = json.loads(path.read_text())
        lines += [
            f"  User      {made['user']}",
            f"  Password  {made['password']}",
            f"  API key   {made['api_key']}",
            f"  These are shown once; they stand in {path}",
        ]
    else:
        lines.append(f"  Sign-in and API key of the first run: {path}")
    if not configuration.loopback:
        lines.append(
            f"  Listens on {configuration.bind}: other machines can connect. The embedded AWS stays on loopback."
        )
    say("\n".join(lines))


def say(text: str, *, error: bool = False) -> None:
    """To the terminal, if there still is one: its end must not keep the children from being ended."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr if error else sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
