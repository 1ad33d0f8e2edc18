"""What can go wrong, and the exit code of each."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command. Where several things went wrong in different ways, it is FAILED."""

    DONE = 0
    FAILED = 1  # something else went wrong; the text says what
    USAGE = 2  # the command was given wrongly
    UNREACHABLE = 3  # the server did not answer in time
    FORBIDDEN = 4  # the API key is missing, not valid, or may not do this
    NOT_FOUND = 5  # there is no such thing, or it is somebody else's
    EXISTS = 6  # something is there already and was not overwritten
    AWAITED = 7  # the file has arrived, or is arriving, but is not encrypted yet
    REJECTED = 8  # the platform did not take the file
    DAMAGED = 9  # what came is not what was stored
    CHANGED = 10  # the file changed while it was being uploaded
    BUSY = 11  # another process is at work on the same transfer
    INTERRUPTED = 130  # Ctrl-C


class ClientError(Exception):
    """Everything that the client raises on purpose. The text says what failed and what to do."""

    exit_code = Exit.FAILED


class Problem(ClientError):
    """The platform, or the store behind a presigned URL, refused; ``status``, ``kind`` and ``detail`` say what."""

    def __init__(self, status: int, detail: str, *, kind: str = "") -> None:
        super().__init__(detail)
        self.status, self.detail, self.kind = status, detail, kind

    @property
    def exit_code(self) -> Exit:  # type: ignore[override]  # it depends on the status
        """The exit code that fits the status."""
        by_status = {401: Exit.FORBIDDEN, 403: Exit.FORBIDDEN, 404: Exit.NOT_FOUND}
        return by_status.get(self.status, Exit.FAILED)


class Unreachable(Problem):
    """The server gave no answer, or none that makes sense, for as long as the client tried."""

    def __init__(self, detail: str) -> None:
        super().__init__(0, detail)

    @property
    def exit_code(self) -> Exit:  # type: ignore[override]
        """One for all of them."""
        return Exit.UNREACHABLE


class Broken(Unreachable):
    """A connection broke off in the middle of an answer; what came before is good."""


class Damaged(ClientError):
    """What came does not open under the file's key, or is not the content that was stored."""

    exit_code = Exit.DAMAGED


class Unfit(ClientError):
    """This cannot be uploaded or written to: a folder, a device, a name that is not text."""


class Misconfigured(ClientError):
    """The client was not told what it needs, or its file says something that it does not understand."""

    exit_code = Exit.USAGE


class Changed(ClientError):
    """The file changed while it was being uploaded. Nothing of it was stored."""

    exit_code = Exit.CHANGED


class Exists(ClientError):
    """There is a file already, which nobody said to overwrite."""

    exit_code = Exit.EXISTS


class Busy(ClientError):
    """Another process is at work on the same transfer."""

    exit_code = Exit.BUSY
