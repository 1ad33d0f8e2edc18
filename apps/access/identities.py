"""Tell who stands behind an actor, so that nobody can approve what they asked for under another name.

A person works in the console under a user, and over the API under keys that they issued, perhaps by way of
other keys. Two actors are the same person as soon as these chains meet anywhere, or two users have one e-mail
address. Keys issued by the platform itself (the first run) count as one person.
"""

from django.contrib.auth.models import User

from apps.access.store import ClientTable
from apps.audit.records import Actor, ActorKind


def identities(actor: Actor) -> frozenset[str]:
    """Return every name that an actor is known under."""
    found: set[str] = set()
    name = str(actor)
    while name and name not in found:
        found.add(name)
        kind, _, identifier = name.partition(":")
        name = _issuer(identifier) if kind == ActorKind.CLIENT else ""
    addresses = {_address(known.partition(":")[2]) for known in found if known.startswith(ActorKind.USER)}
    return frozenset(found | (addresses - {""}))


def are_one_person(one: Actor, other: Actor) -> bool:
    """Return whether two actors may be the same person."""
    return bool(identities(one) & identities(other))


def _issuer(client_id: str) -> str:
    client = ClientTable.find(client_id)
    return client.created_by if client else ""


def _address(username: str) -> str:
    user = User.objects.filter(username=username).only("email").first()
    return f"mailto:{user.email.strip().casefold()}" if user and user.email.strip() else ""
