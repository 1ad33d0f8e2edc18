"""Conditions on a request for content: RFC 9110, section 13. The validator is strong: it names the bytes."""

import re
from dataclasses import dataclass

from apps.common.errors import PlatformError
from apps.files.records import Document, Version

_TAG = re.compile(r'(W/)?("[^"]*")')


class ContentChanged(PlatformError):
    """The file's content is another than the caller's condition names."""

    status = 412
    type = "precondition-failed"
    title = "The file has another content"


@dataclass(frozen=True, slots=True)
class Conditions:
    """The headers of a request for content, None where they were not sent."""

    wanted: str | None = None  # Range
    if_match: str | None = None
    if_none_match: str | None = None
    if_range: str | None = None

    def check_match(self, etag: str) -> None:
        """Check that the content is the one that the caller knows.

        Raises:
            ContentChanged: it is not.
        """
        if self.if_match is not None and not _names(self.if_match, etag, weakly=False):
            raise ContentChanged(f"The content's ETag is {etag}. Read the file again, or leave out If-Match.")

    def has_it(self, etag: str) -> bool:
        """Return whether the caller has the content already."""
        return self.if_none_match is not None and _names(self.if_none_match, etag, weakly=True)

    def range_for(self, etag: str) -> str | None:
        """The Range header, unless it is meant for another content: then all is answered.

        There is no Last-Modified, so that a date names none.
        """
        return self.wanted if self.if_range is None or self.if_range.strip() == etag else None


def etag_of(file: Document | Version) -> str:
    """The validator of a file's content, which is the same for as long as there is the file, re-encrypted or not."""
    return f'"{file.package_id}"'


def _names(header: str, etag: str, *, weakly: bool) -> bool:
    if header.strip() == "*":
        return True
    return any(tag == etag and (weakly or not weak) for weak, tag in _TAG.findall(header))
