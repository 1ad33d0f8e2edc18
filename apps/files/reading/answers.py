"""What is answered to a request for content: all of it, a part, or that the caller has it already."""

from dataclasses import dataclass

from apps.audit.records import Actor
from apps.common.errors import Refused
from apps.files import services
from apps.files.reading import content, ranges
from apps.files.reading.conditions import Conditions, etag_of
from apps.files.records import Document, Version


@dataclass(frozen=True, slots=True)
class Answer:
    """A file, and what of its content is answered."""

    file: Document | Version
    content: bytes | None = None  # None: nothing is
    part: tuple[int, int] | None = None  # from, to
    not_modified: bool = False

    @property
    def etag(self) -> str:
        """The validator of the content."""
        return etag_of(self.file)


def answer(
    file_id: str,
    *,
    conditions: Conditions,
    limit: int,
    actor: Actor,
    passphrase: str | None = None,
    head: bool = False,
) -> Answer:
    """What a request for content is answered; the audit entry is written before anything is opened (I1).

    Args:
        file_id: which file.
        conditions: which range, and whether at all.
        limit: bytes that are answered at most; a longer part is cut there.
        actor: who reads.
        passphrase: where one is part of the key.
        head: answer all but the content, for which nothing is opened.

    Raises:
        FileNotFound: no such file, or another's.
        FileNotReady: it cannot be read now, whatever is asked for.
        ContentChanged: the caller's condition names another content.
        Refused: all is asked for, and is over the limit.
        as ``content.read`` and ``content.read_range``.
    """
    file = content.readable(services.find(file_id, actor=actor))
    etag = etag_of(file)
    conditions.check_match(etag)
    if conditions.has_it(etag):
        return Answer(file, not_modified=True)
    if head:
        return Answer(file)
    size = content.size_of(file)
    part = ranges.range_of(conditions.range_for(etag), size)
    if part is not None:
        start, stop = part[0], min(part[1], part[0] + limit)
        return Answer(
            file,
            content.range_of(file, start=start, stop=stop, actor=actor, passphrase=passphrase),
            (start, stop),
        )
    if size > limit:
        raise Refused(
            f"The file has {size} bytes, more than the {limit} answered here. Ask for a range, or POST to …/download."
        )
    # All of it first: a damaged body is a problem document then, not an answer that breaks off
    return Answer(file, content.whole(content.opened(file, actor=actor, passphrase=passphrase)))
