"""One attempt to encrypt a file: it has a quantum key of its own, and that names the object key of its body."""

from apps.files.bodies.objects import BODIES_PREFIX


def object_key(document_id: str, quantum_key_id: str) -> str:
    """The object key under which one attempt writes its body: no other attempt has its quantum key."""
    return f"{BODIES_PREFIX}{document_id}/{quantum_key_id}"
