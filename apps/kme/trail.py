"""What the trail records about key delivery."""

from apps.audit.records import Event


class SaeEvent(Event):
    """Entries about one application."""

    REGISTERED = "sae.registered", "An application was registered, to which keys are delivered."
    CHANGED = "sae.changed", "What an application may do, or which certificates are its own, was changed."
    REVOKED = "sae.revoked", "An application gets no key any more, nor does anybody what it asked for."


class CertificateEvent(Event):
    """Entries about certificates of key delivery."""

    EXPIRING = (
        "certificate.expiring",
        "A certificate ends soon: an application's that it showed, or the platform's own; or that cannot be read.",
    )


class ReceptionEvent(Event):
    """Entries about keys of other key management entities; those that came in are sessions."""

    FAILED = (
        "reception.failed",
        "Another key management entity gave no keys, or some that are not used; the link rests.",
    )


class DeliveryEvent(Event):
    """Entries about keys that were delivered."""

    ISSUED = (
        "delivery.issued",
        "Keys left the stock: an application was given them, and they wait for its peers.",
    )
    COLLECTED = "delivery.collected", "A peer was given the keys that it had been told the ids of."
    EXPIRED = (
        "delivery.expired",
        "Delivered keys waited for a peer for too long; nobody is given them any more.",
    )
    HANDED_OVER = (
        "delivery.handed_over",
        "The other site holds the keys for its applications; the master is given them.",
    )
    ACCEPTED = "delivery.accepted", "Keys that the other site gave out wait here for their peers."
    DIFFERS = (
        "delivery.differs",
        "The other site gave out a key that is not the one held here; it is not used.",
    )
    REFUSED = "delivery.refused", "An application asked for keys that it may not have."
