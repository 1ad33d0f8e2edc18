"""``python -m apps.stack.run``: the whole platform on this machine, until Ctrl-C.

Exit codes: 0 stopped as asked, 1 a part of it ended, 2 it could not start as configured.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence

from apps.stack import layout, ports
from apps.stack.children import end_leftovers
from apps.stack.configuration import BadConfiguration, Configuration, check_machine
from apps.stack.restarts import HOPELESS
from apps.stack.supervisor import READY_PATH, ChildEnded, StoppedByUser, Supervisor
from apps.stack.telling import say


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
        missing = supervisor.start()
        _announce(supervisor.configuration, time.monotonic() - began, first=first, missing=missing)
        supervisor.watch()
    except StoppedByUser:
        say("\nStopping ... (Ctrl-C again to kill)")
        code = 0
    except ChildEnded as ended:
        code = _explain(ended)
    except TimeoutError as error:
        say(f"Gave up: {error}. Logs: {supervisor.configuration.folder / 'logs'}", error=True)
    finally:
        supervisor.stop()
    if code == 0:
        say("Stopped.")
    return code


def _explain(ended: ChildEnded) -> int:
    """Say why a part is given up; returns the exit code."""
    child = ended.child
    if child.exit_code in HOPELESS:
        say(f"{child.name if ended.reason else 'Cannot start'}: {child.tail(1)}", error=True)
        return 1 if ended.reason else 2
    why = f": {ended.reason}" if ended.reason else ""
    say(f"{child.name} ended with exit code {child.exit_code}{why}. Last lines of {child.log}:", error=True)
    say(child.tail(), error=True)
    return 1


def _check_ports(configuration: Configuration) -> None:
    for name, host, port in (
        ("PORT", configuration.bind, configuration.port),
        ("AWS_PORT", "127.0.0.1", configuration.aws_port),
        ("KME_PORT", "127.0.0.1", configuration.kme_port),
    ):
        if port is None:
            continue
        if not ports.is_free(host, port):
            holder = ports.holder(port)
            by = f" by {holder}" if holder else ""
            raise BadConfiguration(
                f"port {port} on {host} is taken{by}. Stop that, or choose another: {name}={port + 1} make run"
            )


def _announce(
    configuration: Configuration, seconds: float, *, first: bool, missing: Sequence[str] = ()
) -> None:
    url = configuration.base_url
    lines = [
        f"Ready in {seconds:.1f} s. Ctrl-C stops it.",
        # Security keys ask for a name: an address cannot be a relying party
        f"  Console   {url.replace('//127.0.0.1', '//localhost')}/admin/",
        f"  API       {url}/api/v1",
        f"  API docs  {url}/api/docs",
        f"  Data      {configuration.folder}",
    ]
    if configuration.kme_port is not None:
        lines.insert(
            -1,
            f"  KME       https://127.0.0.1:{configuration.kme_port}/api/v1/keys/ (certificates: {configuration.kme_folder})",
        )
    if missing:
        lines[0] = f"Started in {seconds:.1f} s. Ctrl-C stops it."
        lines.append(f"  Not ready yet, and being worked on: {', '.join(missing)}. See {url}{READY_PATH}")
    path = configuration.folder / "first-run.json"
    if first and os.environ.get("SHOW_FIRST_RUN") != "0":  # two_sites: what it says goes to a log
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


if __name__ == "__main__":
    sys.exit(main())
