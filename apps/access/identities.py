"""Tell who stands behind an actor, so that nobody can approve what they asked for under another name.

A person is one principal, whatever the name, the sign-in or the API key. Two persons who share an e-mail address
count as one all the same: it is one who reads what both are sent.
"""

from apps.access.users import User
from apps.audit.records import Actor, ActorKind


def are_one_person(one: Actor, other: Actor) -> bool:
    """Return whether two actors may be the same person."""
    return str(one) == str(other) or bool(_address(one) and _address(one) == _address(other))


def _address(actor: Actor) -> str:
    if actor.kind is not ActorKind.USER:
        return ""
    user = User.objects.filter(pk=actor.id).only("email").first()
    return user.email.strip().casefold() if user else ""
