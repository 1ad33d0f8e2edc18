"""People with console users and API keys of their own."""

from apps.access import api_keys, principals
from apps.access.authentication import as_actor
from apps.access.records import Caller
from apps.access.roles import Role
from apps.audit.records import Actor, ActorKind, system

ALICE = Actor(ActorKind.USER, "00000000-0000-4000-8000-00000000000a", sees_all=True)
BOB = Actor(ActorKind.USER, "00000000-0000-4000-8000-00000000000b", sees_all=True)
ADMITTING = system("tests")


def admit(person: Actor, *, role: Role = Role.ADMINISTRATOR, approver: bool = True) -> None:
    """Give a person rights that decide."""
    principals.admit_person(person.id, person.id[-1], role=role, approver=approver, actor=ADMITTING)


def key_of(person: Actor) -> tuple[Actor, str]:
    """An admitted person as one of their API keys acts, and the key."""
    key, secret = api_keys.issue(str(person), actor=ADMITTING)
    return as_actor(Caller(principals.find(str(person)), key), source_ip="127.0.0.1"), secret


def program_of(person: Actor, *, role: Role = Role.OPERATOR) -> tuple[Actor, str]:
    """A program that a person issued a key for, and the key."""
    client, key = api_keys.issue_for_service("program", role=role, actor=person)
    return as_actor(client, source_ip="127.0.0.1"), key
