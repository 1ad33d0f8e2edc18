"""Messages at the console: what the platform keeps of each, for who may see it, and no more than that."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from apps.access.models import User
from apps.access.roles import Role
from apps.audit import services as audit
from apps.audit.records import Actor, ActorKind
from apps.audit.trail import AuditEvent
from apps.common.dynamodb import misplaced
from apps.common.errors import NotFound
from apps.console.store_admin import StoreAdmin
from apps.custody import retirement
from apps.files import messages
from apps.files.messages import listing
from apps.sessions import quantum_keys
from apps.sessions.display import taken_for
from apps.sessions.records import KeyPurpose, QuantumKey
from apps.sessions.store import QuantumKeyTable
from tests import requirement
from tests.console.demo import ALICE, PROGRAM, Demo
from tests.console.pages import (
    AUDIT,
    CLIENTS,
    FILES,
    MESSAGES,
    POOL,
    SESSIONS,
    ids,
    messages_of,
)
from tests.console.test_files import encrypted_file
from tests.console.test_roles import as_role
from tests.console.test_roles import everything as everything  # noqa: PLC0414 - a fixture

pytestmark = requirement("F1")
FIND = "/admin/find/"
OTHER = Actor(ActorKind.SERVICE, "qkffffffffffffffff", "198.51.100.9")


def sealed(message_id: str) -> QuantumKey:
    """The quantum key that was taken for a message."""
    return listing.find(message_id, actor=ALICE)


def seal(text: bytes = b"x", *, actor: Actor = PROGRAM) -> str:
    """Seal a message; its id."""
    return messages.encrypt(text, actor=actor).header.file_id


def shown(page: Any) -> list[str]:
    """The ids of the messages on a page of the list."""
    return [one.message_id for one in page.context["cl"].result_list]


@requirement("I2")
def test_the_list_says_who_sealed_what_when_and_to_which_keys(console: Client, filled: Demo) -> None:
    html = console.get(MESSAGES).content.decode()
    key = sealed(filled.message_id)
    for part in (
        f">{filled.message_id}</code>",
        f"{SESSIONS}{key.session_id}/change/",
        f"{POOL}{key.sealed_by}/change/",
        f"{AUDIT}?file={filled.message_id}",
        str(PROGRAM),
    ):
        assert part in html, part
    assert "attack at dawn" not in html


def test_a_message_is_a_record_that_leads_to_all_it_belongs_to(console: Client, filled: Demo) -> None:
    key = sealed(filled.message_id)
    address = f"{MESSAGES}{key.key_id}/change/"
    summary = console.get(address).content.decode()
    assert f'data-copy="{filled.message_id}"' in summary
    assert key.key_id in summary
    related = console.get(address, {"tab": "related"}).content.decode()
    for target in (
        f"{SESSIONS}{key.session_id}/change/",
        f"{POOL}{key.sealed_by}/change/",
        f"{MESSAGES}?owner=service%3A{PROGRAM.id}",
        f"{MESSAGES}?key={key.sealed_by}",
        f"{MESSAGES}?session={key.session_id}",
    ):
        assert f'href="{target}"' in related, target
    trail = console.get(address, {"tab": "audit"}).content.decode()
    assert "message: encrypted" in trail
    assert "message: read" in trail, "who opened it, too"


def test_what_a_message_belongs_to_leads_to_it(console: Client, filled: Demo) -> None:
    key = sealed(filled.message_id)
    target = f"{MESSAGES}{key.key_id}/change/"
    for address in (f"{SESSIONS}{key.session_id}/change/", f"{POOL}{key.sealed_by}/change/"):
        assert f'href="{target}"' in console.get(address, {"tab": "related"}).content.decode(), address
    client = console.get(f"{CLIENTS}{filled.key_id}/change/", {"tab": "related"}).content.decode()
    assert f"{MESSAGES}?owner=" in client
    (entry, *_) = audit.entries_page(limit=1, by="file", value=filled.message_id).records
    html = console.get(f"{AUDIT}{entry.chain}-{entry.sequence}/change/").content.decode()
    assert f"{MESSAGES}{filled.message_id}/change/" in html
    assert f"{FILES}{filled.message_id}" not in html, "a message is no file"
    assert console.get(f"{MESSAGES}{filled.message_id}/change/").status_code == 200


def test_what_was_delivered_is_not_called_a_message(console: Client, filled: Demo) -> None:
    key = sealed(filled.message_id)
    user = User.objects.get(username="admin")
    assert MESSAGES in taken_for(user, key)
    assert taken_for(user, replace(key, purpose=KeyPurpose.DELIVERY)) == "delivery"


@requirement("I6")
def test_every_filter_of_messages_asks_its_index(console: Client, filled: Demo, calls: list[str]) -> None:
    other = seal(actor=OTHER)
    key = sealed(filled.message_id)
    asked = {
        "owner": (f"service:{OTHER.id}", [other]),
        "key": (
            str(key.sealed_by),
            [one for one in (other, filled.message_id) if sealed(one).sealed_by == key.sealed_by],
        ),
        "session": (key.session_id, [other, filled.message_id]),
    }
    for name, (value, expected) in asked.items():
        calls.clear()
        page = console.get(MESSAGES, {name: value})
        assert shown(page) == expected, name
        assert calls == ["Query", "BatchGetItem"], name
    both = console.get(MESSAGES, {"owner": str(PROGRAM), "session": key.session_id})
    assert shown(both) == [filled.message_id]
    day = f"{key.taken_at:%Y-%m-%d}"
    assert filled.message_id in shown(console.get(MESSAGES, {"since": day, "until": day}))
    assert shown(console.get(MESSAGES, {"until": "2020-01-01"})) == []


def test_pages_of_messages_lead_through_all_and_back(
    console: Client, filled: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoreAdmin, "list_per_page", 3)
    made = [filled.message_id, *(seal() for _ in range(6))]
    found, url = [], MESSAGES
    while url:
        page = console.get(url)
        found.append(shown(page))
        url = page.context["cl"].older and MESSAGES + page.context["cl"].older
    assert found == [made[:3:-1], made[3:0:-1], made[:1]]
    assert shown(console.get(MESSAGES + page.context["cl"].newer)) == made[3:0:-1]


def test_no_file_of_a_session_is_among_its_messages(console: Client, stock: Any) -> None:
    session = encrypted_file(console).quantum_key_id.partition(".")[0]
    sealed_with = messages.encrypt(b"x", actor=PROGRAM)
    assert len(quantum_keys.keys_of(session, limit=50).records) == 2
    assert shown(console.get(MESSAGES, {"session": session})) == [sealed_with.header.file_id]


def test_a_batch_is_one_row_and_its_message_that_moved_another(console: Client, filled: Demo) -> None:
    packages = messages.encrypt_batch([b"one", b"two"], actor=PROGRAM)
    batch = packages[0].header.file_id.partition("/")[0]
    assert shown(console.get(MESSAGES))[0] == batch
    assert "batch" in console.get(f"{MESSAGES}{batch}/change/").content.decode()
    before = packages[1].pool_key_id
    retirement.rotate(before, reason="test", actor=ALICE)
    moved = messages.rewrap(packages[1].to_dict(), actor=PROGRAM)
    listed = shown(console.get(MESSAGES, {"key": moved.pool_key_id}))
    assert f"{batch}/1" in listed
    assert f"{batch}/1" not in shown(console.get(MESSAGES, {"key": before}))
    key = sealed(f"{batch}/1")
    assert (key.sealed_by, key.key_id[-2:]) == (moved.pool_key_id, "/1")
    assert sealed(f"{batch}/0").subject == batch, "which has stayed with the others"
    page = console.get(f"{MESSAGES}{key.key_id}/change/")
    assert page.status_code == 200
    assert "message of a batch" in page.content.decode()


def test_a_message_is_found_by_its_id_and_by_its_quantum_key(console: Client, filled: Demo) -> None:
    key = sealed(filled.message_id)
    for _ in range(30):
        audit.record(ALICE, AuditEvent.ACCESS_DENIED, file_id=filled.message_id)  # behind many entries
    found = console.get(FIND, {"q": filled.message_id})
    assert found.headers["Location"] == f"{MESSAGES}{key.key_id}/change/"
    both = console.get(FIND, {"q": key.key_id}).content.decode()
    assert f"{MESSAGES}{key.key_id}/change/" in both
    assert f"{SESSIONS}{key.key_id.partition('.')[0]}/change/" in both
    assert ids(console.get(MESSAGES, {"q": filled.message_id})) == [key.key_id]


@pytest.mark.parametrize("odd", ["msg-", "batch-x", "msg-\x00", "nope", "a.1", "msg-1/2/3", "x" * 300])
def test_what_is_no_message_is_not_found(console: Client, odd: str) -> None:
    with pytest.raises(NotFound):
        listing.find(odd, actor=ALICE)
    assert ids(console.get(MESSAGES, {"q": odd})) == []
    for name in ("owner", "key", "session"):
        assert console.get(MESSAGES, {name: odd}).status_code in {200, 302}


def test_a_quantum_key_of_a_file_is_no_message(console: Client, stock: Any) -> None:
    with pytest.raises(NotFound):
        listing.find(encrypted_file(console).quantum_key_id, actor=ALICE)


def test_an_empty_list_of_messages_says_what_would_fill_it(console: Client) -> None:
    html = console.get(MESSAGES).content
    assert b"No messages yet. Programs seal and open them through the API." in html
    assert b"neither its text nor its package" in html


@requirement("F6")
def test_whose_messages_a_role_sees(everything: Demo) -> None:
    """All, for who sees every owner's records; else one's own, whatever is asked for."""
    clients = {role: as_role(role) for role in Role}
    person = User.objects.get(username="a client")
    own = seal(actor=Actor(ActorKind.USER, str(person.pk)))
    key = sealed(everything.message_id)
    for role, client in clients.items():
        expected = [own] if role is Role.CLIENT else [own, everything.message_id]
        assert shown(client.get(MESSAGES)) == expected, role
    client = clients[Role.CLIENT]
    assert shown(client.get(MESSAGES, {"session": key.session_id})) == [own]
    assert set(shown(client.get(MESSAGES, {"key": str(key.sealed_by)}))) <= {own}
    others = client.get(MESSAGES, {"owner": str(PROGRAM)})
    assert shown(others) == []
    assert messages_of(others)
    for identifier in (key.key_id, everything.message_id):
        page = client.get(f"{MESSAGES}{identifier}/change/")
        assert page["Location"] == MESSAGES
    assert b"Nothing you may see" in client.get(FIND, {"q": everything.message_id}).content
    denied = audit.entries_page(limit=1, by="file", value=everything.message_id).records[0]
    assert denied.event == AuditEvent.ACCESS_DENIED
    assert client.get(f"{MESSAGES}{own}/change/").status_code == 200


@requirement("F6")
def test_the_list_needs_its_right(person: Callable[..., Client], filled: Demo) -> None:
    assert person("files.view_file").get(MESSAGES).status_code == 403
    html = person("files.view_message").get(MESSAGES).content.decode()
    assert filled.message_id in html
    assert AUDIT not in html
    assert POOL not in html


@requirement("I10")
def test_a_message_that_is_hidden_from_a_list_is_found(filled: Demo) -> None:
    row = QuantumKeyTable.get(sealed(filled.message_id).key_id)
    row.sealer_feed = None
    assert misplaced(row, row.record()) == ["sealer_feed"]
    row.message_feed = None
    assert misplaced(row, row.record()) == ["message_feed", "sealer_feed"]
