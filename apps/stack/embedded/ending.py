"""The ends of the embedded AWS that are not asked for."""

import contextlib
import os
import sys
from typing import NoReturn

EXIT_CODE = 74  # EX_IOERR of sysexits.h
UNUSABLE = 2


def end(what: str, error: BaseException | None) -> NoReturn:
    """End at once: what was changed in memory and is not on the disk must never be acknowledged."""
    with contextlib.suppress(OSError):  # the log may be on the same full disk
        print(f"CRITICAL {what}: {error}", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(EXIT_CODE)


def cannot_start(error: BaseException) -> NoReturn:
    """End before anything was served or written: only a person can mend what is on the disk."""
    text = f"{error} Nothing was changed. Restore it from a backup, or start with another folder (LOCAL_DIR)."
    print(f"CRITICAL {text}", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(UNUSABLE)
