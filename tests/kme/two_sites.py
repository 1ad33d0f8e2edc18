"""Two sites in one process: each has tables of its own, of which the process sees one site's at a time."""

import copy
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from django.conf import settings
from django.test import override_settings
from moto.dynamodb.models import dynamodb_backends

from apps.detections import services as detections
from apps.kme.sites import agreeing, asking, parties
from apps.kme.sites.asking import SiteUnavailable
from apps.kme.sites.channel import QuantumChannel
from apps.kme.sites.parties import Ended, Setting
from apps.kme.sites.running import runner_of
from apps.links import services as links
from apps.links.records import Link, LinkSource
from apps.sessions import sites
from apps.sessions.store import SessionTable
from qkd.bb84 import AliceRecord, BobRecord
from qkd.classical import ConnectionLostError, Kind, ProtocolError, receive, send
from tests import conftest
from tests.conftest import TESTS
from tests.kme.saes import Answered, Application, an_application, ask, certificate
from tests.waiting import LIMIT_SECONDS

LINK = "metro"
SECRET = b"a secret of both sites, 32 bytes"
PARAMETERS = {"error_rate": 0.02, "bits": 1024}
Step = tuple[Kind, str]  # the first message of a kind, as Bob asks or as Alice answers
_made: list[Any] = []


@dataclass
class Place:
    """One of the two sites."""

    name: str
    role: str
    tables: dict[str, Any] = field(default_factory=dict)
    apps: dict[str, Application] = field(default_factory=dict)

    def link(self) -> Link:
        return links.find(LINK)


class TwoSites:
    """Alice's site and Bob's, and the line between them."""

    def __init__(self) -> None:
        self.a, self.b = Place("site-a", sites.ALICE), Place("site-b", sites.BOB)
        self._backend = dynamodb_backends[conftest.ACCOUNT][settings.AWS_REGION]
        self._here: Place | None = None
        self.line: Callable[[Callable[[], Answered]], Answered] = lambda deliver: deliver()

    @contextmanager
    def at(self, place: Place) -> Iterator[None]:
        """What happens in this block happens at a site."""
        before, outside = self._here, self._backend.tables
        if before is place:
            yield
            return
        conftest.forget_everything()
        self._here, self._backend.tables = place, place.tables
        try:
            with override_settings(KME_ID=place.name):
                yield
        finally:
            place.tables = self._backend.tables
            self._here, self._backend.tables = before, outside
            conftest.forget_everything()

    def other(self, place: Place) -> Place:
        return self.b if place is self.a else self.a

    def make(self) -> None:
        """A link, and an application at each end of it that shares keys with the other: made once and copied."""
        if not _made:
            with conftest.drawn_once("two sites"):
                self._make()
            _made.extend(copy.deepcopy((place.tables, place.apps)) for place in (self.a, self.b))
        for place, (tables, apps) in zip((self.a, self.b), _made, strict=True):
            place.tables, place.apps = copy.deepcopy(tables), apps

    def _make(self) -> None:
        for place in (self.a, self.b):
            self._backend.tables = {}
            conftest._make_tables()
            place.tables = self._backend.tables
        for place, here, there in ((self.a, "sae-alice", "sae-bob"), (self.b, "sae-bob", "sae-alice")):
            other = self.other(place)
            with self.at(place):
                parameters = {
                    **PARAMETERS, "role": place.role, "base_url": "https://other.example", "peer": other.name, "client": "site",
                }  # fmt: skip
                links.make(
                    LINK, name="Metro", source=LinkSource.OTHER_SITE, parameters=parameters, actor=TESTS
                )
                an_application(other.name)
                place.apps = {
                    here: an_application(here, there),
                    there: an_application(there, here, site=LINK),
                }

    def asked(self, link: Link, action: str, body: Any) -> Any:
        """In the place of ``asking.ask``: over the line, as the other site's KME answers it."""
        here = self._here
        assert here is not None

        def deliver() -> Answered:
            with self.at(self.other(here)):
                return ask(certificate(here.name), "POST", f"/api/v1/sites/{link.link_id}/{action}", body)

        answer = self.line(deliver)
        if answer.status != 200:
            raise SiteUnavailable(f"{answer.status}: {answer.body}")
        return answer.body

    def hold(self, session_id: str, *, alice: bytes | None, bob: bytes | None) -> None:
        """Each site keeps its end of a session, as if one had been run that gave these keys."""
        for place, key, end in ((self.a, alice, ends()[0]), (self.b, bob, ends()[1])):
            if key is not None:
                with self.at(place):
                    found = {**end.found, "session_id": session_id}
                    sites.keep(place.link(), found, key, actor=runner_of(LINK))

    def judge(self, *places: Place) -> None:
        """Have what waits for its verdict judged."""
        for place in places or (self.a, self.b):
            with self.at(place):
                for row in list(SessionTable.scan()):
                    if row.status == "pending":
                        detections.judge(row.session_id, actor=TESTS)

    def agree(self, *places: Place) -> None:
        for place in places or (self.a, self.b):
            with self.at(place):
                agreeing.agree(place.link())

    def statuses(self, session_id: str) -> tuple[str | None, str | None]:
        found = []
        for place in (self.a, self.b):
            with self.at(place):
                row = SessionTable.find(session_id)
                found.append(None if row is None else row.status.value)
        return found[0], found[1]

    def ready(self, giver: str, *, keys: int = 16) -> str:
        """A session that both sites hold and found clean, whose keys one of them gives out."""
        session_id, bits = an_id(giver), os.urandom(32 * keys)
        self.hold(session_id, alice=bits, bob=bits)
        self.judge()
        self.agree()
        return session_id

    def draw(self, place: Place, **asked: Any) -> Answered:
        """The application of a site asks for keys with the one of the other."""
        mine, theirs = ("sae-alice", "sae-bob") if place is self.a else ("sae-bob", "sae-alice")
        with self.at(place):
            asking.forget_rest()
            return place.apps[mine].enc_keys(theirs, **asked)

    def collect(self, place: Place, *key_ids: str) -> Answered:
        """The application of a site collects keys that the other one of it was given."""
        mine, theirs = ("sae-alice", "sae-bob") if place is self.a else ("sae-bob", "sae-alice")
        with self.at(place):
            return place.apps[mine].dec_keys(theirs, *key_ids)


def an_id(giver: str) -> str:
    while sites.issuer_of(made := str(uuid.uuid4())) != giver:
        pass
    return made


@cache
def setting() -> Setting:
    return Setting.of(PARAMETERS)


def run(
    *,
    session_id: str | None = None,
    lose: Step | None = None,
    repeat: Step | None = None,
    secrets: tuple[bytes, bytes] = (SECRET, SECRET),
    attack: Any = None,
) -> tuple[Ended | None, Ended | None, list[Step]]:
    """Run a session between two ends in threads; at a step the line is cut, or the message comes twice.

    Returns what Alice and Bob ended with, and the steps that there were.
    """
    from qkd import attacks

    session_id = session_id or an_id(sites.ALICE)
    quantum = QuantumChannel(setting().plan.channel, attack or attacks.attack("none"), {})
    pulses = setting().plan.pulses
    alice_record = AliceRecord(*quantum.notes(session_id, sites.ALICE, pulses))
    bob_record = BobRecord(*quantum.notes(session_id, sites.BOB, pulses))
    nonces = (os.urandom(16), os.urandom(16))
    keys = [parties.authentication(one, link=LINK, session_id=session_id, nonces=nonces) for one in secrets]
    pairs = [socket.socketpair() for _ in range(2)]
    (alice_end, to_alice), (bob_end, to_bob) = pairs
    seen: list[Step] = []
    relay = threading.Thread(target=_relay, args=(to_alice, to_bob, seen, lose, repeat))
    found: list[Ended | None] = [None, None]

    def as_alice() -> None:
        with alice_end:
            found[0] = parties.as_alice(alice_end, alice_record, setting(), keys[0], session_id=session_id)

    for end in (alice_end, to_alice, bob_end, to_bob):
        end.settimeout(LIMIT_SECONDS)
    alice = threading.Thread(target=as_alice)
    relay.start()
    alice.start()
    with bob_end, suppress(ConnectionLostError):
        found[1] = parties.as_bob(bob_end, bob_record, setting(), keys[1], session_id=session_id)
    alice.join()
    relay.join()
    return found[0], found[1], seen


def _relay(to_alice: Any, to_bob: Any, seen: list[Step], lose: Step | None, repeat: Step | None) -> None:
    with ExitStack() as held:
        held.enter_context(to_alice)
        held.enter_context(to_bob)
        held.enter_context(suppress(ProtocolError))
        while True:
            for source, target, what in ((to_bob, to_alice, "question"), (to_alice, to_bob, "answer")):
                message = receive(source)
                if message is None:
                    return
                step = (message.kind, what)
                if step == lose:
                    return  # both lose the connection
                send(target, message)
                if step == repeat and step not in seen:
                    send(target, message)
                seen.append(step)


@cache
def ends() -> tuple[Ended, Ended]:
    """What both ends of one session ended with."""
    with conftest.drawn_once("two ends"):
        alice, bob, _ = run()
    assert alice is not None
    assert bob is not None
    assert alice.key == bob.key
    return replace(alice, key=None), replace(bob, key=None)
