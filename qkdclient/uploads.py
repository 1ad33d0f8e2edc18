"""Uploads that the platform encrypts: only what is missing is sent."""

import hashlib
from collections.abc import Mapping
from typing import Any

from qkdclient.announcing import AWAITED, GONE, File, Lost, announce, complete, give_up, take_up
from qkdclient.api import Api
from qkdclient.errors import Changed, Problem
from qkdclient.pace import Pace
from qkdclient.progress import Progress
from qkdclient.sending import PartSender, parts_there
from qkdclient.sources import Source
from qkdclient.state import Stage, UploadState


class Uploads:
    """Uploads one source after the other."""

    def __init__(self, api: Api, pace: Pace) -> None:
        self._api, self._pace = api, pace

    def send(
        self, source: Source, about: Mapping[str, Any], state: UploadState, progress: Progress, *, to: str
    ) -> File:
        """Upload a source; where an earlier upload of it was interrupted, only the parts that are missing.

        Args:
            source: what is uploaded.
            about: what the platform is told of it.
            state: of this upload.
            progress: is told the bytes done and the bytes in all.
            to: where it is announced: ``files``, or the versions of one.

        Raises:
            Changed: the source changed meanwhile; the upload was given up.
            Problem: the platform refused.
        """
        file = take_up(self._api, state)
        if file is not None and file["status"] not in AWAITED:
            return file  # acknowledged, but its answer was lost
        try:
            return self._send(source, about, state, progress, to)
        except Lost:
            if source.identity is None:
                raise
            source.rewind()
            state.begin()
            return self._send(source, about, state, progress, to)

    def _send(
        self, source: Source, about: Mapping[str, Any], state: UploadState, progress: Progress, to: str
    ) -> File:
        if state.upload.stage is Stage.SENDING:
            if source.is_empty():
                return self._send_nothing(about, state, progress, to)
            self._send_parts(source, about, state, progress, to)
        progress(state.upload.size, state.upload.size)
        return complete(self._api, state.upload)

    def _send_nothing(
        self, about: Mapping[str, Any], state: UploadState, progress: Progress, to: str
    ) -> File:
        """An empty file has no parts: it is one empty object."""
        target = announce(self._api, to, {**about, "method": "put"}, state)
        self._api.put(target["upload_url"], b"")
        progress(0, 0)
        state.sent(size=0, sha256=hashlib.sha256().hexdigest())
        return dict(target["file"])

    def _send_parts(
        self, source: Source, about: Mapping[str, Any], state: UploadState, progress: Progress, to: str
    ) -> None:
        """Send each part that has not arrived as it is now."""
        there = self._parts_there(about, state, to)
        sender, whole, done = PartSender(self._api, state.upload.file_id, self._pace), hashlib.sha256(), 0
        for number, part in enumerate(source.parts(state.upload.part_bytes), 1):
            whole.update(part)
            sha256 = whole.copy().hexdigest()  # of all up to here: one pass tells the parts and the whole
            if there.get(number) != len(part) or not state.has_sent(number, sha256):
                sender.send(number, part)
                state.arrived(number, sha256)
            done += len(part)
            progress(done, max(done, source.size or 0))
        check(self._api, source, state, done)
        state.sent(size=done, sha256=whole.hexdigest())

    def _parts_there(self, about: Mapping[str, Any], state: UploadState, to: str) -> dict[int, int]:
        """The parts that have arrived of an upload that goes on; none of a new one, which is announced."""
        if state.upload.part_bytes:
            try:
                return parts_there(self._api, state.upload.file_id)
            except Problem as problem:
                if problem.status not in GONE:
                    raise
            give_up(self._api, state.upload)
            state.begin()
        announce(self._api, to, {**about, "method": "multipart"}, state)
        return {}


def check(api: Api, source: Source, state: UploadState, read: int) -> None:
    """Give up an upload whose source is another by now.

    Raises:
        Changed: it is.
    """
    try:
        source.check(read)
    except Changed:
        give_up(api, state.upload)
        state.forget()
        raise
