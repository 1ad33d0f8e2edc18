"""Names as data: shown without effect on a terminal, sent as text, and never a path that somebody else chose."""

import os
from pathlib import Path, PurePosixPath

from qkdclient.errors import Misconfigured, Unfit

LIMIT = 255  # bytes of a name in the usual file systems
EXTENSION = 32  # bytes of an extension that a shortened name keeps


def shown(text: object) -> str:
    r"""The text with everything escaped that a terminal would obey or hide: controls, bidi, zero width, surrogates.

    >>> shown("a\x1b[2Jb\u202ec")
    'a\\x1b[2Jb\\u202ec'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def home() -> Path:
    """The user's home.

    Raises:
        Misconfigured: there is none, as of a user whom the system does not know.
    """
    try:
        return Path.home()
    except RuntimeError:
        raise Misconfigured(
            "There is no home folder. Set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME to folders of yours."
        ) from None


def as_text(name: str) -> str:
    """A name as the platform can keep it.

    Raises:
        Unfit: it is not text in UTF-8, as a name of a file need not be.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise Unfit(
            f"The name {shown(name)} is not UTF-8. Rename it, or give another name with --name."
        ) from None
    return name


def own_name(name: str, *, otherwise: str) -> str:
    """The last part of a name that a server gave, as a name of one file in one folder.

    >>> own_name("../../etc/passwd", otherwise="f-1"), own_name("..", otherwise="f-1")
    ('passwd', 'f-1')
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    return _safe_part(last) or otherwise


def own_path(name: str) -> PurePosixPath:
    """A name with folders in it as a path below one folder; empty where nothing of it is left.

    >>> own_path("/2024/../report.pdf")
    PurePosixPath('2024/report.pdf')
    """
    parts = [_safe_part(part) for part in name.replace("\\", "/").split("/")]
    return PurePosixPath(*[part for part in parts if part])


def _safe_part(part: str) -> str:
    """One name without what a terminal obeys, and short enough; empty for ``.`` and ``..``."""
    clean = "".join(c if c.isprintable() and _can_be_named(c) else "_" for c in part)
    return "" if clean in {"", ".", ".."} else _shortened(clean)


def _can_be_named(character: str) -> bool:
    """Return whether names of files here can have a character: under some locales only those of one alphabet."""
    try:
        os.fsencode(character)
    except UnicodeEncodeError:
        return False
    return True


def _shortened(name: str) -> str:
    encoded = os.fsencode(name)
    if len(encoded) <= LIMIT:
        return name
    stem, dot, extension = name.rpartition(".")
    end = os.fsencode(dot + extension) if stem and len(os.fsencode(extension)) < EXTENSION else b""
    return (encoded[: LIMIT - len(end)].decode(errors="ignore")) + end.decode()
