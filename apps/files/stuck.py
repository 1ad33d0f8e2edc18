"""What may be stuck of the files."""

from apps.common import clock
from apps.common.standstill import Stuck, of
from apps.files.life import sweeping
from apps.sessions import reservations

LATE = 3600  # seconds after which the sweep should have done it
MOVED_SECONDS = 3 * 86_400  # the slowest recall from cold storage takes two days


def _uploads() -> list[Stuck]:
    waiting = sweeping.uploads_that_never_came(clock.ago(sweeping.CLIENT_UPLOAD_SECONDS + LATE))
    return of(
        "uploads that wait for longer than a day",
        ((upload.file_id, upload.uploaded_at) for upload in waiting),
        action="The sweep should have given them up: look into the log for 'uploads given up'.",
    )


def _bodies() -> list[Stuck]:
    orphans = sweeping.orphans_from_before(clock.ago(reservations.RESERVED_SECONDS + LATE))
    return of(
        "bodies without an owner",
        ((orphan.file_id, orphan.noted_at) for orphan in orphans),
        action="The sweep should have removed them: look into the log for 'orphaned bodies removed'.",
    )


def _reservations() -> list[Stuck]:
    old = [
        key
        for key in reservations.stale_reservations()
        if key.taken_at < clock.ago(LATE + reservations.RESERVED_SECONDS)
    ]
    return of(
        "old reservations of quantum keys",
        ((key.key_id, key.taken_at) for key in old),
        action="The sweep should have ended them: look into the log for 'reservations ended'.",
    )


def _moves() -> list[Stuck]:
    late = [one for one in sweeping.documents_on_the_move() if one.uploaded_at < clock.ago(MOVED_SECONDS)]
    return of(
        "files that move to or from cold storage, uploaded days ago",
        ((document.file_id, None) for document in late),
        action="A recall takes up to two days; beyond that, look into the log for 'moves to and from cold storage'.",
    )


CHECKS = [_uploads, _bodies, _reservations, _moves]
