"""What the trail records about API clients."""

from apps.audit.records import Event


class ClientEvent(Event):
    """Entries about API clients."""

    ISSUED = "client.issued", "An API client was issued, and its key handed out once."
    REVOKED = "client.revoked", "An API client was revoked; its key is refused from then on."
