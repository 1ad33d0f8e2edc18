"""Two sites share a link: the same keys under the same ids, each once, and none that one site holds alone (A11, E10, I3)."""

import os
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from apps.audit.verification import verify
from apps.custody import restoring
from apps.kme import collecting
from apps.kme.records import DeliveredState
from apps.kme.sites import agreeing, asking, channel, handing, producing
from apps.kme.sites.channel import QuantumChannel
from apps.kme.sites.wire import Broken
from apps.kme.store import DeliveredKeyTable
from apps.kme.transport import Fault as Fails
from apps.kme.transport import KmeFailed
from apps.links import services as links
from apps.links import transitions
from apps.links.records import LinkState
from apps.sessions import leases, offering, quantum_keys, sites
from apps.sessions import transitions as session_transitions
from apps.sessions.records import SessionUnusable, SiteState, StockEmpty
from apps.sessions.store import KeyBlockTable, QuantumKeyTable, SessionTable
from qkd.classical import Kind
from tests import requirement
from tests.conftest import TESTS
from tests.fault_table import PROPERTY
from tests.faults import Fault
from tests.kme.saes import Answered, an_application, ask, certificate
from tests.kme.two_sites import LINK, TwoSites, an_id, run, setting

OTHERS = [fault for fault in Fault if fault is not Fault.LOST]
FAILED = Answered(0, "no answer", {})


@pytest.fixture
def pair(aws, monkeypatch, settings) -> TwoSites:
    settings.STOCK_RESERVED = 0
    made = TwoSites()
    made.make()
    monkeypatch.setattr(asking, "ask", made.asked)
    return made


def pieces_at(pair, place) -> list[str]:
    with pair.at(place):
        return [row.key_id for row in QuantumKeyTable.scan()]


def waiting_at(pair, place) -> list[str]:
    with pair.at(place):
        return [row.key_id for row in DeliveredKeyTable.scan() if row.state is DeliveredState.WAITING]


@requirement("A11", "E10", "I3")
@pytest.mark.parametrize("giver", [sites.ALICE, sites.BOB])
def test_an_application_at_each_site_has_the_same_key_once(pair, giver):
    here, there = (pair.a, pair.b) if giver == sites.ALICE else (pair.b, pair.a)
    session_id = pair.ready(giver)
    given = pair.draw(here, number=3, size=512).keys
    assert len({key for _, key in given}) == 3
    assert all(len(key) == 64 for _, key in given)
    assert pair.collect(there, *(key_id for key_id, _ in given)).keys == given
    assert pair.collect(there, given[0][0]).status == 400, "once"
    assert pair.collect(here, given[0][0]).status == 400, "not where they were given"
    assert sorted(pieces_at(pair, here)) == sorted(pieces_at(pair, there))
    assert {piece.rpartition(".")[0] for piece in pieces_at(pair, here)} == {session_id}
    assert pair.draw(there).status == 503, "these keys are the other site's to give out"
    for place in (pair.a, pair.b):
        with pair.at(place):
            assert verify().problems == []


@requirement("A11", "E10")
def test_the_status_names_the_other_sites_entity_and_what_it_can_be_given(pair):
    pair.ready(sites.ALICE)
    with pair.at(pair.a):
        told = pair.a.apps["sae-alice"].status("sae-bob").body
    assert (told["source_KME_ID"], told["target_KME_ID"], told["stored_key_count"]) == (
        "site-a",
        "site-b",
        16,
    )


@requirement("A11", "I3")
def test_keys_of_a_link_to_another_site_encrypt_nothing_here(pair):
    pair.ready(sites.ALICE)
    with pair.at(pair.a), pytest.raises(StockEmpty):
        offering.offer(actor=TESTS)


@requirement("A11", "I3")
@pytest.mark.parametrize("giver", [sites.ALICE, sites.BOB])
def test_nor_where_somebody_names_their_session(pair, giver):
    session_id = pair.ready(giver)
    for place in (pair.a, pair.b):
        with pair.at(place), pytest.raises(SessionUnusable, match="another site"):
            offering.offer(session_id=session_id, actor=TESTS)


@requirement("A11", "B1")
def test_nothing_is_given_out_before_both_sites_hold_it_and_found_it_clean(pair):
    session_id, bits = an_id(sites.ALICE), os.urandom(512)
    pair.hold(session_id, alice=bits, bob=None)
    pair.judge()
    pair.agree()
    assert pair.draw(pair.a).status == 503, "Bob has nothing"
    pair.hold(session_id, alice=None, bob=bits)
    pair.agree()
    assert pair.draw(pair.a).status == 503, "Bob's verdict is missing"
    pair.judge()
    pair.agree(pair.b)
    assert pair.draw(pair.a).status == 503, "Alice does not know of it"
    pair.agree(pair.a)
    pair.agree(pair.a)
    given = pair.draw(pair.a)
    assert pair.collect(pair.b, *given.ids).keys == given.keys
    with pair.at(pair.a):
        found = SessionTable.find(session_id)
        assert found is not None
        assert found.site is SiteState.AGREED
        assert sum(1 for _ in KeyBlockTable.scan()) > 0
    with pair.at(pair.b):
        assert list(KeyBlockTable.scan()) == [], "Bob's site gives none of them out"


@requirement("A11", "B1")
@pytest.mark.parametrize("at", ["a", "b"])
@pytest.mark.parametrize("when", ["before they agree", "after"])
def test_a_session_that_one_site_drops_is_dropped_at_both(pair, at, when):
    dropping = getattr(pair, at)
    session_id, bits = an_id(sites.ALICE), os.urandom(512)
    pair.hold(session_id, alice=bits, bob=bits)
    pair.judge()
    if when == "after":
        pair.agree()
        early = pair.draw(pair.a)
    with pair.at(dropping):
        session_transitions.revoke(session_id, reason="Eve", actor=TESTS)
    if when == "after":
        late = pair.draw(pair.a)
        assert late.status == 503, "whichever site knows it, nobody is given a key"
        if dropping is pair.b:
            assert pair.collect(pair.b, *early.ids).status == 400
    pair.agree()
    assert pair.statuses(session_id) == ("revoked", "revoked")
    assert pair.draw(pair.a).status == 503


@requirement("A11")
def test_an_end_whose_other_end_never_came_is_dropped_after_a_stated_time(pair, later):
    session_id, bits = an_id(sites.ALICE), os.urandom(512)
    pair.hold(session_id, alice=bits, bob=None)
    pair.judge()
    pair.agree()
    assert pair.statuses(session_id) == ("ready", None)
    later(seconds=sites.HOLD_SECONDS + 1)
    pair.agree()
    assert pair.statuses(session_id) == ("revoked", None)
    pair.hold(session_id, alice=None, bob=bits)  # far too late
    pair.judge()
    pair.agree()
    assert pair.statuses(session_id) == ("revoked", "revoked")


class Line:
    """What happens to the n-th request between the sites."""

    def __init__(self, what: str, nth: int = 0) -> None:
        self.what, self.nth, self.count = what, nth, -1
        self.kept: list[Callable[[], Answered]] = []

    def __call__(self, deliver: Callable[[], Answered]) -> Answered:
        self.count += 1
        if self.count != self.nth:
            return deliver()
        match self.what:
            case "lost":
                return FAILED
            case "answer lost":
                deliver()
                return FAILED
            case "twice":
                first = deliver()
                assert deliver().body == first.body
                return first
            case "late":
                self.kept.append(deliver)
                return FAILED
        raise AssertionError(self.what)


@requirement("A11", "E10", "I3")
@pytest.mark.parametrize("what", ["lost", "answer lost", "twice", "late"])
def test_whatever_becomes_of_a_message_no_site_gives_a_key_that_the_other_does_not(
    pair, what, later, settings
):
    pair.ready(sites.ALICE, keys=64)
    pair.line = line = Line(what)
    answers = [pair.draw(pair.a, number=2) for _ in range(3)]
    for deliver in line.kept:  # after others that were sent later
        deliver()
    assert [one.status for one in answers] == [200 if what == "twice" else 503, 200, 200]
    given = [one for answer in answers if answer.status == 200 for one in answer.keys]
    assert len({key for _, key in given}) == len(given)
    for key_id, key in given:
        assert pair.collect(pair.b, key_id).keys == [(key_id, key)]
        assert pair.collect(pair.b, key_id).status == 400, "once"
    assert set(pieces_at(pair, pair.b)) <= set(pieces_at(pair, pair.a))
    later(seconds=settings.KME_WAIT_SECONDS + 1)
    for place in (pair.a, pair.b):
        with pair.at(place):
            collecting.expire()
        assert waiting_at(pair, place) == [], "no reservation is stuck"
    for deliver in line.kept:  # again, once its time is over
        assert deliver().status != 200 or what == "late"
    assert waiting_at(pair, pair.b) == []


@requirement("A11", "E10", "I3", "I4")
@pytest.mark.parametrize(
    "fault", [Fault.LOST, *(pytest.param(one, marks=pytest.mark.slow) for one in OTHERS)]
)
def test_whichever_call_fails_at_either_site_no_key_is_given_twice_or_to_one_alone(pair, fault, each_call):
    pair.ready(sites.ALICE, keys=512)  # each process that dies keeps a block of 8 from the others
    answers: list[Answered] = []

    def attempt(_):
        answers.append(pair.draw(pair.a))
        assert answers[-1].status == 200

    for _ in each_call("hand keys over", fault, lambda: None, attempt):
        leases.known().clear()  # the process dies
    answers.append(pair.draw(pair.a))
    given = [one for answer in answers if answer.status == 200 for one in answer.keys]
    assert {answer.status for answer in answers} <= {200, 503}
    assert given
    assert len({key for _, key in given}) == len(given)
    for key_id, key in given:
        assert pair.collect(pair.b, key_id).keys == [(key_id, key)]
    assert set(pieces_at(pair, pair.b)) <= set(pieces_at(pair, pair.a))
    for place in (pair.a, pair.b):
        with pair.at(place):
            assert verify().problems == []


@requirement("A11", "E10")
def test_a_request_that_the_other_site_refuses_keeps_no_other_application_waiting(pair, monkeypatch):
    pair.ready(sites.ALICE)
    real = asking.ask
    monkeypatch.setattr(asking, "Https", silent_https(Fails.REFUSED))
    monkeypatch.setattr(asking, "ask", ASK)
    with pair.at(pair.a):
        asking.forget_rest()
        assert pair.a.apps["sae-alice"].enc_keys("sae-bob").status == 503
        monkeypatch.setattr(asking, "ask", real)
        assert pair.a.apps["sae-alice"].enc_keys("sae-bob").status == 200


@requirement("A11", "I8")
@pytest.mark.parametrize(
    "told", ["x" * 300_000, "", "reddy", 7, None, ["ready"]], ids=lambda one: str(one)[:9]
)
def test_a_state_that_there_is_not_ends_no_session(pair, told):
    session_id = pair.ready(sites.ALICE)
    pair.line = lambda _deliver: Answered(200, {"statuses": {session_id: told}, "ready": 0}, {})
    with pair.at(pair.a), pytest.raises(asking.SiteUnavailable):
        agreeing.agree(pair.a.link())
    assert pair.statuses(session_id) == ("ready", "ready")


@requirement("A11", "I3")
def test_a_session_whose_ends_differ_is_used_no_more_at_either_site(pair):
    session_id = an_id(sites.ALICE)
    pair.hold(session_id, alice=os.urandom(512), bob=os.urandom(512))
    pair.judge()
    pair.agree()
    assert pair.draw(pair.a).status == 503
    assert pair.statuses(session_id) == ("ready", "revoked")
    pair.agree()
    assert pair.statuses(session_id) == ("revoked", "revoked")
    assert len(pieces_at(pair, pair.a)) == 1, "one key was enough to know it"


@requirement("A11", "I3")
def test_a_proof_that_is_none_ends_no_session(pair):
    session_id = pair.ready(sites.ALICE)
    good = an_offer(pair, session_id)
    wrong = {**an_offer(pair, session_id, pieces=(1,)), "proof": good["proof"][:-1]}
    assert offered(pair, wrong).status == 400
    assert pair.statuses(session_id) == ("ready", "ready")


@requirement("A11", "G5", "I3")
@pytest.mark.parametrize("agreed", [False, True])
def test_both_sites_set_back_to_a_backup_give_out_no_key_of_it(pair, agreed):
    session_id, bits = an_id(sites.ALICE), os.urandom(512)
    pair.hold(session_id, alice=bits, bob=bits)
    pair.judge()
    if agreed:
        pair.agree()
        given = pair.draw(pair.a)
    for place in (pair.a, pair.b):
        with pair.at(place):
            restoring.set_keys_aside(actor=TESTS)
    pair.agree()
    pair.agree()
    assert pair.draw(pair.a).status == 503
    if agreed:
        assert pair.collect(pair.b, *given.ids).status == 400, "it may have been collected since"
    for place in (pair.a, pair.b):
        with pair.at(place):
            assert verify().problems == []


@requirement("A11")
def test_while_the_other_site_does_not_answer_its_keys_are_not_used_up(pair, monkeypatch):
    pair.ready(sites.ALICE)

    real = asking.ask
    monkeypatch.setattr(asking, "Https", silent_https())
    monkeypatch.setattr(asking, "ask", ASK)
    with pair.at(pair.a):
        asking.forget_rest()
        answers = [pair.a.apps["sae-alice"].enc_keys("sae-bob") for _ in range(5)]
    assert {one.status for one in answers} == {503}
    assert len(pieces_at(pair, pair.a)) == 1, "of five requests one took a key"
    monkeypatch.setattr(asking, "ask", real)
    given = pair.draw(pair.a)
    assert pair.collect(pair.b, *given.ids).keys == given.keys


ASK = asking.ask


def silent_https(fault=Fails.UNREACHABLE):
    class Silent:
        def __init__(self, *_):
            pass

        def ask(self, *_):
            raise KmeFailed(fault, "It gives none.")

        def close(self):
            pass

    return Silent


def an_offer(pair, session_id, *, pieces=(0,), **changes):
    document = {
        "key_ID": str(uuid.uuid4()), "master": "sae-alice", "slaves": ["sae-bob"], "size": 256,
        "pieces": [f"{session_id}.{n}" for n in pieces], "expires_at": 2**33, "proof": "0" * 64,
    }  # fmt: skip
    document |= changes
    if "proof" not in changes:
        with pair.at(pair.a):
            key = handing._read(document).key
            bits = b"".join(quantum_keys.taken_key(one) for one in key.pieces)
            document["proof"] = handing.proof_of(key, bits)
    return document


def offered(pair, *documents, as_whom="site-a", link=LINK):
    with pair.at(pair.b):
        return ask(
            certificate(as_whom), "POST", f"/api/v1/sites/{link}/deliveries", {"keys": list(documents)}
        )


@requirement("A11", "I3", "I10")
def test_a_site_holds_nothing_that_the_other_may_not_give_out(pair):
    session_id, own = pair.ready(sites.ALICE), pair.ready(sites.BOB)
    other_id = an_id(sites.ALICE)
    good = an_offer(pair, session_id)
    assert offered(pair, good).body == {"held": [good["key_ID"]]}
    assert offered(pair, good).body == {"held": [good["key_ID"]]}, "again"
    held = an_id(sites.ALICE)
    pair.hold(held, alice=os.urandom(512), bob=os.urandom(512))
    pair.judge()
    wrong = {
        "the same quantum key": an_offer(pair, session_id),
        "the same id for another": an_offer(pair, session_id, pieces=(1,), key_ID=good["key_ID"]),
        "one that this site gives out": an_offer(pair, own),
        "one twice": an_offer(pair, session_id, pieces=(1, 1), size=512),
        "no such number": {**good, "key_ID": str(uuid.uuid4()), "pieces": [f"{session_id}.16"]},
        "no such session": {**good, "key_ID": str(uuid.uuid4()), "pieces": [f"{other_id}.0"]},
        "other bits": an_offer(pair, held),
        "a master from here": an_offer(pair, session_id, pieces=(3,), master="sae-bob", slaves=["sae-alice"]),
        "a slave of the other site": an_offer(pair, session_id, pieces=(3,), slaves=["sae-alice"]),
        "a slave that nobody knows": an_offer(pair, session_id, pieces=(3,), slaves=["sae-bob", "sae-x"]),
        # the last, as a session whose keys differ is ended
        "another key's proof": {**an_offer(pair, session_id, pieces=(2,)), "proof": good["proof"]},
    }
    assert {name: offered(pair, one).status == 200 for name, one in wrong.items()} == dict.fromkeys(
        wrong, False
    )
    assert pieces_at(pair, pair.b) == [f"{session_id}.0"]
    assert len(waiting_at(pair, pair.b)) == 1


@requirement("A11", "I8")
@pytest.mark.parametrize(
    "change",
    [{"size": 0}, {"size": 257}, {"size": 512}, {"size": True}, {"size": "256"}, {"pieces": []}, {"pieces": [1]},
     {"pieces": ["x"]}, {"slaves": []}, {"key_ID": "x"}, {"key_ID": None}, {"expires_at": 0}, {"proof": None}, {"more": 1}],
    ids=str,
)  # fmt: skip
def test_a_key_that_is_not_told_as_it_should_be_is_refused(pair, change):
    session_id = pair.ready(sites.ALICE)
    answer = offered(pair, {**an_offer(pair, session_id), **change})
    assert answer.status in {400, 503}, answer.body
    assert pieces_at(pair, pair.b) == []


@requirement("A11", "E1")
def test_nobody_but_the_links_other_site_is_answered(pair):
    session_id = pair.ready(sites.ALICE)
    document = an_offer(pair, session_id)
    with pair.at(pair.b):
        an_application("site-c")
        links.make("other", name="x", actor=TESTS)
    assert offered(pair, document, as_whom="site-c").status == 401
    assert offered(pair, document, as_whom="sae-bob").status == 401
    assert offered(pair, document, as_whom="sae-alice").status == 401, "it is the other site's application"
    assert offered(pair, document, link="other").status == 401
    assert offered(pair, document, link="nowhere").status == 401
    with pair.at(pair.b):
        bodies: list[Any] = [
            None,
            {},
            {"sessions": "x"},
            {"sessions": [1]},
            {"sessions": ["x"] * 201},
            {"keys": []},
        ]
        for body in bodies:
            answer = ask(certificate("site-a"), "POST", f"/api/v1/sites/{LINK}/statuses", body)
            assert answer.status == 400, body
        assert ask(certificate("site-a"), "GET", f"/api/v1/sites/{LINK}/statuses").status == 405
        assert ask(None, "POST", f"/api/v1/sites/{LINK}/statuses", {"sessions": []}).status == 401
        transitions.move(LINK, LinkState.PAUSED, reason="works", actor=TESTS)
    assert offered(pair, document).status == 503
    assert pieces_at(pair, pair.b) == []


STEPS = [(kind, what) for kind in Kind for what in ("question", "answer")]


@requirement("A11", "I3", "I7")
def test_wherever_the_line_is_cut_no_key_is_at_one_site_alone_for_long(pair, later, record_property):
    """Each step of a session in turn is lost with the line; each site keeps what its end ended with."""
    held = {}
    for step in [*STEPS, None]:
        session_id = an_id(sites.ALICE)
        alice, bob, seen = run(session_id=session_id, lose=step)
        keys = [None if one is None else one.key for one in (alice, bob)]
        if step is None:
            assert {kind for kind, _ in seen} >= {Kind.AGREE, Kind.BATCH, Kind.CONFIRM}
        held[step] = tuple(one is not None for one in keys)
        assert None in keys or keys[0] == keys[1]
        pair.hold(session_id, alice=keys[0], bob=keys[1])
    assert held[Kind.CONFIRM, "answer"] == (True, False), (
        "Alice has the key for good, and Bob does not know it"
    )
    assert held[Kind.CONFIRM, "question"] == (False, False)
    assert held[None] == (True, True)
    assert (False, True) not in held.values(), "Bob keeps what Alice confirmed"
    record_property(PROPERTY, ("cut the line of a session", len(STEPS), 0))
    pair.judge()
    later(seconds=sites.HOLD_SECONDS + 1)
    pair.agree()
    with pair.at(pair.a):
        ready = [row.session_id for row in SessionTable.scan() if row.status == "ready"]
    assert len(ready) == list(held.values()).count((True, True)) > 0


@requirement("A11")
@pytest.mark.parametrize(
    "step", [(Kind.SIFT, "question"), (Kind.COUNTS, "answer"), (Kind.CONFIRM, "question")], ids=str
)
def test_a_message_that_comes_twice_gives_no_two_keys(step):
    alice, bob, _ = run(repeat=step)
    keys = [None if one is None else one.key for one in (alice, bob)]
    assert None in keys or keys[0] == keys[1]


@requirement("A11")
def test_ends_with_different_secrets_get_no_key(pair):
    alice, bob, _ = run(secrets=(b"one" * 11, b"two" * 11))
    assert alice is not None
    assert (alice.key, alice.found["reason_code"]) == (None, "authentication_failed")
    assert bob is None or bob.key is None


@requirement("A11", "B1")
def test_an_eavesdropper_in_the_channel_is_found_by_both_sites(pair):
    from qkd import attacks

    session_id = an_id(sites.ALICE)
    alice, bob, _ = run(session_id=session_id, attack=attacks.attack("intercept-resend", fraction=1.0))
    assert alice is not None
    assert bob is not None
    for place, end in ((pair.a, alice), (pair.b, bob)):
        assert end.key is None
        with pair.at(place):
            sites.keep(place.link(), end.found, end.key, actor=TESTS)
    pair.judge()
    assert pair.statuses(session_id) == ("compromised", "compromised")


@requirement("A11")
def test_the_quantum_channel_tells_each_end_its_notes_once():
    from qkd import attacks

    made = QuantumChannel(setting().plan.channel, attacks.attack("none"), {})
    with pytest.raises(Broken):
        made.notes("s", sites.BOB, 1000)
    made.notes("s", sites.ALICE, 1000)
    with pytest.raises(Broken):
        made.notes("s", sites.ALICE, 1000)
    with pytest.raises(Broken):
        made.notes("s", sites.BOB, 999)
    for n in range(channel.WAITING + 1):
        made.notes(f"s{n}", sites.ALICE, 1000)
    with pytest.raises(Broken):
        made.notes("s0", sites.BOB, 1000)
    assert len(made.notes("s1", sites.BOB, 1000)) == 2
    with pytest.raises(Broken):
        made.notes("s1", sites.BOB, 1000)


@requirement("A11", "A10")
def test_a_session_is_run_for_the_site_that_has_fewer_keys_and_none_where_there_are_enough(pair, monkeypatch):
    with pair.at(pair.b):
        links.change(LINK, low_water=16, target=16, reason="x", actor=TESTS)
        link = pair.b.link()
        assert producing.wanting(link, 16) == sites.BOB
        assert producing.wanting(link, 15) == sites.BOB
    pair.ready(sites.BOB, keys=16)
    with pair.at(pair.b):
        assert producing.wanting(link, 15) == sites.ALICE
        assert producing.wanting(link, 16) is None
    bits = os.urandom(512)
    pair.hold(an_id(sites.ALICE), alice=bits, bob=bits)
    with pair.at(pair.b):
        assert producing.wanting(link, 16) is None
    with pair.at(pair.b):
        _, theirs = agreeing.agree(link)
        assert theirs == 16, "what waits for its verdict at the other site is counted"
