"""The Range header of RFC 9110, section 14: one range of bytes."""

import re

from apps.common.errors import Invalid

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


class RangeNotSatisfiable(Invalid):
    """The bytes asked for do not lie within the file."""

    status = 416
    type = "range-not-satisfiable"
    title = "The file has no such bytes"


def range_of(header: str | None, size: int) -> tuple[int, int] | None:
    """``start, stop`` of the bytes that a Range header asks for; None where all are to be sent.

    A header that is not understood, or asks for several ranges, is ignored, as the RFC allows.

    Raises:
        RangeNotSatisfiable: no byte of it lies within the file.
    """
    found = _RANGE.fullmatch(header.strip()) if header and len(header) < 100 else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:  # the last so many bytes
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < int(first):
            return None
    if start >= stop:
        raise RangeNotSatisfiable(f"The file has {size} bytes; none of them were asked for.")
    return start, stop
