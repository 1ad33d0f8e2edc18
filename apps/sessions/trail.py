"""What the trail records about sessions, their quantum keys and the stock."""

from apps.audit.records import Event


class SessionEvent(Event):
    """Entries about one QKD session."""

    GENERATED = "session.generated", "A session was run and waits for its verdict."
    RECEIVED = (
        "session.received",
        "Keys of another key management entity came in, and wait for their verdict.",
    )
    READY = "session.ready", "A session was judged, and its key joined the stock."
    COMPROMISED = "session.compromised", "A session was judged compromised; its key was erased."
    ABORTED = "session.aborted", "A session yielded no key."
    STUDIED = "session.studied", "A study was judged; its key was never kept, and encrypts nothing."
    SHARED = "session.shared", "A session was run with another site, and waits for the verdict."
    AGREED = (
        "session.agreed",
        "Both sites hold a session's key and found it clean; its keys may be given out.",
    )
    REVOKED = "session.revoked", "A session was revoked; no key is taken from it any more."


class StockEvent(Event):
    """Entries about the stock of quantum keys."""

    LOW = "stock.low", "The stock fell below its low-water mark."
    MEASURED = "stock.measured", "The stock was counted, and how fast keys are taken."
    CLAIMED = "stock.claimed", "A process runs a session because no quantum key is ready; others wait for it."
    WITHDRAWN = "stock.withdrawn", "A session left the stock: its key does not unwrap, or was restored."


class QuantumKeyEvent(Event):
    """Entries about one quantum key."""

    RESERVED = "quantum_key.reserved", "A quantum key was taken for one file or message."
    CLOSED = (
        "quantum_key.closed",
        "What was left of a session that was revoked or withdrawn was taken out of use.",
    )
    DISCARDED = "quantum_key.discarded", "A quantum key was taken and never used; nobody will use it."
    EXPORTED = (
        "quantum_key.exported",
        "A quantum key that a file or message uses was given out, sealed to a recipient.",
    )
