"""What the trail records about sessions, their quantum keys and the stock."""

from apps.audit.records import Event


class SessionEvent(Event):
    """Entries about one QKD session."""

    GENERATED = "session.generated", "A session was run and waits for its verdict."
    READY = "session.ready", "A session was judged, and its key joined the stock."
    COMPROMISED = "session.compromised", "A session was judged compromised; its key was erased."
    ABORTED = "session.aborted", "A session yielded no key."
    STUDIED = "session.studied", "A study was judged; its key was never kept, and encrypts nothing."
    REVOKED = "session.revoked", "A session was revoked; no key is taken from it any more."


class StockEvent(Event):
    """Entries about the stock of quantum keys."""

    LOW = "stock.low", "The stock fell below its low-water mark."


class QuantumKeyEvent(Event):
    """Entries about one quantum key."""

    RESERVED = "quantum_key.reserved", "A quantum key was taken for one file or message."
    DISCARDED = "quantum_key.discarded", "A quantum key was taken and never used; nobody will use it."
