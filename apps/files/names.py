"""Names of files: text for people, never part of a path or an object key.

What could make a name look like another, end a line, or lead out of a folder is refused from callers, and replaced in
the names of objects that nobody announced.
"""

import unicodedata

MAX_NAME_BYTES = 1024
UNNAMED = "unnamed"
# Control, format (bidi, zero-width, BOM), surrogates, and the separators of lines and paragraphs
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SEPARATORS = frozenset("/\\")


def is_unsafe(character: str) -> bool:
    """Return whether a character may not stand in a name."""
    return character in _SEPARATORS or unicodedata.category(character) in _UNSAFE


def clean(text: str) -> str:
    r"""A name without what is not allowed in one; each such character becomes a low line.

    >>> clean("a\u202egpj.exe")
    'a_gpj.exe'
    """
    safe = "".join("_" if is_unsafe(character) else character for character in text)
    return safe.encode()[:MAX_NAME_BYTES].decode(errors="ignore") or UNNAMED


def shown(text: str) -> str:
    r"""A name as it is shown: what may not stand in one is spelt out, as names of before the rules may hold it.

    >>> shown("a\u202egpj.exe")
    'a\\u202egpj.exe'
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if is_unsafe(character) and character != "/"
        else character
        for character in text
    )


def problem_of(text: str) -> str | None:
    """Why a text cannot be a name; None where it can."""
    for character in text:
        if is_unsafe(character):
            return f"the character U+{ord(character):04X} is not allowed in a name"
    if len(text.encode()) > MAX_NAME_BYTES:
        return f"at most {MAX_NAME_BYTES} bytes in UTF-8"
    return None


def problem_of_path(text: str) -> str | None:
    """Why a text cannot be the path that a file had; None where it can. It is data as the name is."""
    for part in text.split("/"):
        found = problem_of(part)
        if found is not None:
            return found
    return problem_of(text.replace("/", "_"))


def of_key(key: str) -> str:
    """The name of an object that nobody announced: the last part of its key that is not empty."""
    parts = [part for part in key.split("/") if part]
    return clean(parts[-1] if parts else "")
