"""Who acts when a person works at the console."""

from django.http import HttpRequest

from apps.audit.records import Actor, ActorKind


def actor_of(request: HttpRequest) -> Actor:
    """Return the signed-in person as the one who acts. Django's permissions decide what a person sees, not owners."""
    return Actor(
        ActorKind.USER,
        str(request.user.pk),
        source_ip=str(request.META.get("REMOTE_ADDR", "")),
        sees_all=True,
    )
