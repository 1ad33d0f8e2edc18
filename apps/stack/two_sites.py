"""``python -m apps.stack.two_sites``: two platforms on this machine that share a link, until Ctrl-C.

Each has its own tables, buckets, root key and key delivery; a third process is the quantum channel between them.
"""

import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from apps.stack import layout
from apps.stack.children import Child, end_leftovers, remember, stop
from apps.stack.configuration import ROOT, BadConfiguration, Configuration, check_machine
from apps.stack.telling import say

LINK = "two-sites"
BASE_PORT = 8100
SPAN = 10  # ports of a site
START_SECONDS = 240.0
POLL_SECONDS = 0.2
AGAIN_SECONDS = 1.0  # until a part of the link that ended is started again
ROLES = {"site-a": "alice", "site-b": "bob"}
SAES = {"site-a": "sae-alice", "site-b": "sae-bob"}


class Stopped(Exception):
    """As asked, or because a part ended that is not started again."""


@dataclass(frozen=True)
class Site:
    """One of the two platforms."""

    name: str
    folder: Path
    port: int
    shared: Path

    @property
    def kme_port(self) -> int:
        """Of its key delivery."""
        return self.port + 2

    @property
    def certificates(self) -> Path:
        """Of both sites and their applications: one test authority gave them out."""
        return self.shared / "certificates"

    def environment(self) -> dict[str, str]:
        """For its processes."""
        client = {
            "certificate": str(self.certificates / f"{self.name}.pem"),
            "key": str(self.certificates / f"{self.name}.key"),
            "authority": str(self.certificates / "ca.pem"),
        }
        return {
            **os.environ,
            "LOCAL_DIR": str(self.folder),
            "PORT": str(self.port),
            "AWS_PORT": str(self.port + 1),
            "KME_PORT": str(self.kme_port),
            "KME_FOLDER": str(self.certificates),
            "KME_ID": self.name,
            "SHOW_FIRST_RUN": "0",
            "KME_CLIENTS": json.dumps({"site": client}),
            "LINK_SECRETS": json.dumps({LINK: str(self.shared / "link.secret")}),
        }

    def manage(self, *words: str) -> list[str]:
        """The command line of a management command."""
        return [sys.executable, str(ROOT / "manage.py"), *words]

    def settings(self) -> dict[str, str]:
        """The environment of a management command."""
        configuration = Configuration.read(self.environment())
        return configuration.environment(self.environment(), layout.own_secrets(self.folder))


class TwoSites:
    """Starts both platforms, makes the link and its applications once, and runs its ends."""

    def __init__(self, shared: Path, port: int) -> None:
        self.shared = shared
        self.quantum_port, self.link_port = port + 4, port + 3
        self.sites = [
            Site(name, shared / name, port + SPAN * number, shared) for number, name in enumerate(ROLES)
        ]
        self.children: dict[str, Child] = {}
        self.signals = 0

    def signalled(self, _number: int, _frame: FrameType | None) -> None:
        """Stop at the next look."""
        self.signals += 1

    def start(self) -> None:
        """Bring everything up.

        Raises:
            Stopped: asked to meanwhile, or a part ended.
        """
        secret = self.shared / "link.secret"
        if not secret.exists():
            layout.write_private(secret, secrets.token_hex(32))
        self._platform(self.sites[0])  # before the other: its key delivery makes the test authority
        names = [*ROLES, *SAES.values()]
        missing = [one for one in names if not (self.sites[0].certificates / f"{one}.pem").exists()]
        if missing:
            folder = str(self.sites[0].certificates)
            self._run(self.sites[0], "kme_certificates", *missing, "--folder", folder)
        self._platform(self.sites[1])
        for site in self.sites:
            if not (site.folder / layout.LINK_MADE).exists():
                self._make(site)
                (site.folder / layout.LINK_MADE).touch()
        for name in ("channel", "link-alice", "link-bob"):
            self._spawn(name)

    def _platform(self, site: Site) -> None:
        child = Child(site.name, [sys.executable, "-m", "apps.stack.run"], site.environment(), self.shared)
        self._remember(site.name, child)
        ends = time.monotonic() + START_SECONDS
        while "Data " not in child.log.read_text("utf-8", "replace"):
            self._check()
            if time.monotonic() > ends:
                raise Stopped(f"{site.name} took too long to start. See {child.log}")
            time.sleep(POLL_SECONDS)
        # Its key delivery comes with it
        while not (site.certificates / "kme.pem").exists():
            self._check()
            time.sleep(POLL_SECONDS)

    def _make(self, site: Site) -> None:
        """Make the link's end at a site, and register who may show a certificate there."""
        other = next(one for one in self.sites if one != site)
        parameters = {
            "role": ROLES[site.name],
            "base_url": f"https://127.0.0.1:{other.kme_port}",
            "peer": other.name,
            "client": "site",
            "error_rate": 0.02,
            "bits": 16_384,
        }
        words = ["--source", "other_site", "--parameters", json.dumps(parameters)]
        self._run(site, "link", "make", LINK, *words, "--low-water", "64", "--target", "128")
        here, there = SAES[site.name], SAES[other.name]
        folder = site.certificates
        self._run(site, "sae", "register", str(folder / f"{other.name}.pem"), "--no-peers")
        self._run(site, "sae", "register", str(folder / f"{here}.pem"), "--peer", there)
        self._run(site, "sae", "register", str(folder / f"{there}.pem"), "--peer", here, "--site", LINK)

    def _run(self, site: Site, *words: str) -> None:
        child = Child(f"{site.name}-setup", site.manage(*words), site.settings(), self.shared)
        while child.exit_code is None:
            self._check()
            time.sleep(POLL_SECONDS / 4)
        if child.exit_code and "already" not in child.tail():
            raise Stopped(f"{' '.join(words[:2])} at {site.name} failed: {child.tail(3)}")

    def _spawn(self, name: str) -> None:
        alice, bob = self.sites
        quantum = f"127.0.0.1:{self.quantum_port}"
        common = ["run_link", LINK, "--quantum", quantum, "--folder", str(alice.certificates)]
        there = f"127.0.0.1:{self.link_port}"
        site, words = {
            "channel": (
                alice,
                [
                    "run_quantum_channel",
                    "--listen",
                    quantum,
                    "--alice",
                    alice.name,
                    "--bob",
                    bob.name,
                    "--folder",
                    str(alice.certificates),
                    "--eve",
                    os.environ.get("EVE") or "none",
                ],
            ),
            "link-alice": (alice, [*common, "--listen", there]),
            "link-bob": (bob, [*common, "--connect", there]),
        }[name]
        self._remember(name, Child(name, site.manage(*words), site.settings(), self.shared))

    def _remember(self, name: str, child: Child) -> None:
        self.children[name] = child
        remember(self.shared / "children.json", self.children.values())

    def _check(self) -> None:
        if self.signals:
            raise Stopped("asked to")
        for name in ROLES:
            child = self.children.get(name)
            if child is not None and child.exit_code is not None:
                raise Stopped(f"{name} ended: {child.tail(5)}")

    def watch(self) -> None:
        """Start parts of the link again that end, until stopped.

        Raises:
            Stopped: asked to, or a platform ended.
        """
        while True:
            self._check()
            for name, child in list(self.children.items()):
                if name not in ROLES and child.exit_code is not None:
                    say(
                        f"[{name}] ended with exit code {child.exit_code}, starting it again. {child.tail(2)}"
                    )
                    time.sleep(AGAIN_SECONDS)
                    self._spawn(name)
            time.sleep(POLL_SECONDS)

    def announce(self) -> None:
        """Say what there is and how to try it."""
        alice, bob = self.sites
        lines = [f"Ready: two sites that share the link {LINK}. Ctrl-C stops both."]
        lines += [
            f"  {site.name}  console http://localhost:{site.port}/admin/  KME https://127.0.0.1:{site.kme_port}"
            f"  sign-in: {site.folder / 'first-run.json'}"
            for site in self.sites
        ]
        lines += [
            f"  Logs, data and certificates: {self.shared}",
            f"  cd {alice.certificates}",
            f"  curl -sS --cacert ca.pem --cert sae-alice.pem --key sae-alice.key https://127.0.0.1:{alice.kme_port}/api/v1/keys/sae-bob/enc_keys",
            f"  curl -sS --cacert ca.pem --cert sae-bob.pem --key sae-bob.key 'https://127.0.0.1:{bob.kme_port}/api/v1/keys/sae-alice/dec_keys?key_ID=…'",
        ]
        say("\n".join(lines))

    def stop(self) -> None:
        """End everything: the link first, then both platforms."""
        link = [child for name, child in self.children.items() if name not in ROLES]
        stop(link, forced=lambda: self.signals > 1)
        for name in ROLES:
            child = self.children.get(name)
            if child is not None and child.exit_code is None:
                child.signal(signal.SIGTERM)
        ends = time.monotonic() + 4 * START_SECONDS / 10
        while any(child.exit_code is None for child in self.children.values()):
            if self.signals > 1 or time.monotonic() > ends:
                break
            time.sleep(POLL_SECONDS / 4)
        for child in self.children.values():
            child.kill()
        (self.shared / "children.json").unlink(missing_ok=True)


@contextmanager
def _listening(sites: TwoSites) -> Iterator[None]:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, sites.signalled)
    try:
        yield
    finally:
        sites.stop()


def main() -> int:
    """Run until stopped; returns the exit code."""
    os.umask(0o077)
    try:
        check_machine()
        port = int(os.environ.get("PORT") or BASE_PORT)
        shared = Path(os.environ.get("LOCAL_DIR") or ROOT / ".local" / "two-sites").resolve()
        shared.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = layout.lock(shared)
    except (BadConfiguration, layout.Unusable, ValueError, OSError) as problem:
        say(f"Cannot start: {problem}", error=True)
        return 2
    end_leftovers(shared / "children.json")
    sites = TwoSites(shared, port)
    with held, _listening(sites):
        try:
            sites.start()
            sites.announce()
            sites.watch()
        except Stopped as reason:
            say(f"\nStopping: {reason}", error=not sites.signals)
    return 0 if sites.signals else 1


if __name__ == "__main__":
    sys.exit(main())
