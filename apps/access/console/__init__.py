"""Who acts when a person works at the console."""

from django.http import HttpRequest

from apps.access.memberships import groups_of
from apps.audit.records import Actor, ActorKind

SEES_ALL = "access.see_every_owner"


def actor_of(request: HttpRequest) -> Actor:
    """Return the signed-in person as the one who acts.

    Django's permissions decide what a person does at the console. Who may not see every owner's records sees their own
    and those of their groups.
    """
    sees_all = bool(request.user.has_perm(SEES_ALL))
    person = f"{ActorKind.USER}:{request.user.pk}"
    return Actor(
        ActorKind.USER,
        str(request.user.pk),
        source_ip=str(request.META.get("REMOTE_ADDR", "")),
        sees_all=sees_all,
        groups=frozenset() if sees_all else groups_of(person),
    )
