"""What the trail records about files and messages."""

from apps.audit.records import Event


class FileEvent(Event):
    """Entries about one file."""

    REGISTERED = "file.registered", "An upload was announced."
    ENCRYPTED = "file.encrypted", "A file was encrypted; its plaintext is no longer needed."
    REJECTED = "file.rejected", "An upload was refused or given up."
    ENCRYPTION_CANCELLED = (
        "file.encryption_cancelled",
        "An upload's encryption was cancelled; its plaintext is kept for a day.",
    )
    REWRAPPED = "file.rewrapped", "A file's envelope moved to another pool key; its body stayed."
    REENCRYPTED = "file.reencrypted", "A file was re-encrypted: envelope and body."
    READ = "file.read", "A file's content was read."
    KEY_RELEASED = "file.key_released", "A client was given the key of one file, to decrypt it itself."
    DELETED = "file.deleted", "A file was deleted; it can be restored until it is shredded."
    RESTORED = "file.restored", "A deleted file was restored."
    SHREDDED = "file.shredded", "A file's keys and bodies were erased for good."
    REPLACED = "file.replaced", "A new version took a document's place; the old one is kept."
    ARCHIVED = "file.archived", "A file moved to cold storage."
    RECALLED = "file.recalled", "A file came back from cold storage."
    BODY_REMOVED = "body.removed", "A body that no file refers to was removed."


class MessageEvent(Event):
    """Entries about one message."""

    ENCRYPTED = (
        "message.encrypted",
        "A message, or a batch of them, was encrypted, and the packages handed back.",
    )
    READ = "message.read", "A message was decrypted."
