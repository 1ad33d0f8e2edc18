"""What both kinds of uploads share: an id that lives from the first request until the file is acknowledged."""

import time
from collections.abc import Mapping
from typing import Any

from qkdclient.api import Api
from qkdclient.errors import ClientError, Damaged, Problem, Unreachable
from qkdclient.names import shown
from qkdclient.state import Upload, UploadState

AWAITED = frozenset({"awaiting_upload", "awaiting_body"})
GONE = frozenset({404, 409, 410})  # removed, or ended: there is nothing to continue
ENDED = frozenset(
    {"rejected", "deleted", "shredding", "shredded"}
)  # an upload that asks for it again is another
OTHERS = frozenset({409, 422})  # the id stands for something else
FIRST_LOOK, LONGEST_LOOK = 0.1, 2.0  # seconds between two looks at a file that is being encrypted

File = dict[str, Any]


class Lost(ClientError):
    """The platform no longer has what was sent of an upload."""


def take_up(api: Api, state: UploadState) -> File | None:
    """Take up the upload that an earlier run left, and return its file as the platform knows it.

    None where it knows none yet, or a new upload begins: because there was none, the content is another by now, or
    the platform did not take it.
    """
    earlier = state.earlier
    if earlier is None or not state.continues():
        if earlier is not None:
            give_up(api, earlier)
        state.begin()
        return None
    if not state.upload.file_id:
        return (
            None  # its announcement may have arrived, or be on its way: it is sent again under the same key
        )
    try:
        file: File = api.call("GET", f"files/{state.upload.file_id}")
    except Problem as problem:
        if problem.status not in GONE:
            raise
        file = {"status": "rejected"}
    if file["status"] in ENDED:
        state.begin()
        return None
    return file


def announce(api: Api, to: str, about: Mapping[str, Any], state: UploadState) -> Any:
    """Announce an upload under its id. Idempotent: announced before, it is the same upload."""
    try:
        return _announce(api, to, about, state)
    except Problem as problem:
        if problem.status not in OTHERS:
            raise
    except Lost:  # given up long ago
        pass
    state.begin()
    return _announce(api, to, about, state)


def _announce(api: Api, to: str, about: Mapping[str, Any], state: UploadState) -> Any:
    answer = api.call("POST", to, {**about, "upload_id": state.upload.key})
    target = answer.get("upload", answer)
    if target["file"]["status"] not in AWAITED:
        raise Lost(f"{target['file']['file_id']} is {target['file']['status']}.")
    state.announced(target["file"]["file_id"], part_bytes=target["part_bytes"] or 0)
    return answer


def complete(api: Api, upload: Upload) -> File:
    """Have the parts joined. Idempotent.

    Raises:
        Lost: the platform no longer has them.
    """
    try:
        file: File = api.call("POST", f"files/{upload.file_id}/complete", {"size": upload.size})
    except Problem as problem:
        if problem.status in GONE | {400}:
            raise Lost(f"What was sent of {upload.file_id} is gone: {problem}") from problem
        raise
    return file


def give_up(api: Api, upload: Upload) -> None:
    """Tell the platform that an upload will not come. Where it cannot be told, it gives the upload up in a day."""
    if not upload.file_id:
        return
    try:
        api.call("POST", f"files/{upload.file_id}/abort")
    except Unreachable:
        raise
    except Problem:
        return  # it ended before, or was never announced


def wait(api: Api, file: File, seconds: float) -> File:
    """The file once it is encrypted or refused, or as it is after ``seconds``."""
    deadline, pause = time.monotonic() + seconds, FIRST_LOOK
    while file["status"] in AWAITED and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        pause = min(1.5 * pause, LONGEST_LOOK)
        file = api.call("GET", f"files/{file['file_id']}")
    return file


def compare(api: Api, file: File, upload: Upload, passphrase: str | None) -> None:
    """Compare what the platform has encrypted with what was read, by their SHA-256.

    Raises:
        Damaged: they are not the same.
    """
    if file["status"] != "encrypted" or not upload.sha256:
        return
    try:
        digest = digest_of(api, file["file_id"], passphrase)
    except Problem as problem:
        if problem.status in {403, 409}:  # who may only write cannot compare; nor what was replaced meanwhile
            return
        raise
    if digest not in {None, upload.sha256}:
        raise Damaged(
            f"{shown(file['name'])} was stored as {file['file_id']}, but is not what was read here. "
            "Delete it and upload it again."
        )


def digest_of(api: Api, file_id: str, passphrase: str | None) -> str | None:
    """The SHA-256 of a file's plaintext in hex; None where nobody has told it."""
    asked = {} if passphrase is None else {"passphrase": passphrase}
    found: str | None = api.call("POST", f"files/{file_id}/digest", asked)["sha256"]
    return found
