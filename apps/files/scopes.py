"""What callers may do with files and messages."""

from apps.access.roles import EVERYBODY, Role, Scope


class FileScope(Scope):
    """Files."""

    READ = "files:read", "See files, without their content.", *EVERYBODY
    WRITE = "files:write", "Upload, replace, archive, delete and restore files.", Role.CLIENT
    SHRED = (
        "files:shred",
        "Destroy the keys of deleted files at once, while they could still be restored.",
    )
    DECRYPT = "files:decrypt", "Read the content of files.", Role.CLIENT
    KEY = (
        "files:key",
        "Be given the keys of single files, to encrypt and decrypt on the client's side.",
        Role.CLIENT,
    )


class MessageScope(Scope):
    """Messages."""

    ENCRYPT = "messages:encrypt", "Encrypt messages.", Role.CLIENT
    DECRYPT = "messages:decrypt", "Decrypt messages.", Role.CLIENT
    REWRAP = (
        "messages:rewrap",
        "Move messages to another pool key, without their plaintext.",
        Role.CLIENT,
        Role.OPERATOR,
    )
