"""Who acts when a person works at the console."""

from django.http import HttpRequest

from apps.audit.records import Actor, ActorKind


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person. Django's permissions decided before; what they may open, they see whoever owns it."""
    return Actor(
        ActorKind.USER,
        str(request.user.pk),
        source_ip=str(request.META.get("REMOTE_ADDR", "")),
        sees_all=True,
    )
