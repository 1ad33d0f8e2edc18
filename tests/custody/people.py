"""People with console users and API keys of their own."""

from apps.access import services as access
from apps.access.authentication import as_actor
from apps.access.roles import Role
from apps.audit.records import Actor, ActorKind

ALICE = Actor(ActorKind.USER, "alice", sees_all=True)
BOB = Actor(ActorKind.USER, "bob", sees_all=True)


def program_of(person: Actor, *, role: Role = Role.OPERATOR) -> tuple[Actor, str]:
    """A program that a person issued a key for, and the key."""
    client, key = access.issue(name="program", role=role, actor=person)
    return as_actor(client, source_ip="127.0.0.1"), key
