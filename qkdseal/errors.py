"""The one error of everything that is wrong with a package."""


class PackageInvalid(Exception):
    """The package does not open. The error is the same whatever the cause.

    The package may be cut, extended, reordered, changed or malformed, or may belong to another key, passphrase or
    context. Telling these apart would help an attacker who probes a reader, so there is one message and no cause.
    """

    def __init__(self) -> None:
        super().__init__("The package is damaged, or does not belong to this key and context.")
