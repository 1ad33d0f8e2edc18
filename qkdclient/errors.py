"""What can go wrong between the client and the platform."""


class Problem(Exception):
    """The platform, or the store behind a presigned URL, refused; ``status``, ``kind`` and ``detail`` say what."""

    def __init__(self, status: int, detail: str, *, kind: str = "") -> None:
        super().__init__(detail)
        self.status, self.detail, self.kind = status, detail, kind


class Interrupted(Problem):
    """A connection broke off; what arrived before is good."""

    def __init__(self, detail: str) -> None:
        super().__init__(0, detail)


class Damaged(Exception):
    """What was downloaded does not open under the file's key, or is not the whole file."""
