"""What can be wrong with a package."""


class PackageInvalid(Exception):
    """The package does not open; one uniform error, whatever the cause.

    Cut, extended, swapped, changed, malformed, or not for this key, passphrase or context: telling these apart
    would help who probes for it, so there is one message and no cause.
    """

    def __init__(self) -> None:
        super().__init__("the package is damaged, or not for this key and context")
