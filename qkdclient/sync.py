"""Whole folders, up and down: only what changed is sent, several files at once, and one failure stops no other."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from qkdclient.announcing import AWAITED, File
from qkdclient.api import Api
from qkdclient.errors import Changed, ClientError, Exists, Problem, Unfit
from qkdclient.files import Files
from qkdclient.folders import files_in, place_for
from qkdclient.names import as_text, own_path, shown
from qkdclient.sources import Identity
from qkdclient.sync_options import Options, Report
from qkdclient.sync_state import SyncState, synced
from qkdclient.targets import Target

PRESENT = frozenset({"encrypted", "archiving", "archived", "recalling"})


class Sync:
    """Keeps a folder here and the files of one name there the same."""

    def __init__(self, api: Api, api_key: str, files: Files) -> None:
        self._api, self._api_key, self._files = api, api_key, files

    def up(self, folder: str | Path, name: str | None = None, **options: Any) -> Report:
        """Upload what a folder has and the platform has not, or otherwise.

        A file that changed becomes the next version of what is there; with ``local`` a file of its own, and the
        earlier one is deleted once it is there.

        Args:
            folder: whose files are uploaded, links left out.
            name: files are kept as ``name/path`` (their ``source_path``); by default the folder's own name.
            options: as ``Options`` has them. ``delete`` also deletes there what is no longer here.
        """
        folder, told, report = Path(folder), Options(**options), Report()
        name = as_text(name or folder.resolve().name)
        if not name.strip("/"):
            raise Unfit(f"{shown(folder)} has no name. Give one: its files are kept as NAME/PATH.")
        with self._synced(folder, name) as state:
            here = dict(files_in(folder, told.exclude))
            there = self._there(name, told)

            def send(path: str) -> None:
                self._send(path, here[path], name, there.get(path), state, told, report)

            self._each(here, send, told, report)
            if told.delete:
                gone = [path for path in there if path not in here]
                self._each(
                    gone, lambda path: self._delete(path, there[path], state, told, report), told, report
                )
        return report

    def down(self, name: str, folder: str | Path | None = None, **options: Any) -> Report:
        """Download what the platform has and a folder has not, or otherwise.

        A file here that was changed since it was last the same as the one there is not overwritten, unless
        ``overwrite`` says so.

        Args:
            name: files are kept as ``name/path`` there.
            folder: where they go; by default one of that name.
            options: as ``Options`` has them. ``delete`` also deletes here what was the same and is no longer there.
        """
        told, report = Options(**options), Report()
        folder = Path(folder or name.rstrip("/").rpartition("/")[2])
        folder.mkdir(parents=True, exist_ok=True)
        with self._synced(folder, name) as state:
            there = self._there(name, told)
            first = _first_at(there)

            def receive(path: str) -> None:
                if (other := first[own_path(path)]) != path:
                    raise Exists(
                        f"It would be here what {shown(other)} is. Rename one of them, or download it with -o."
                    )
                self._receive(path, there[path], place_for(path, folder), state, told, report)

            if told.delete:  # first: what is there may go to the place here of what is there no longer
                gone = [path for path in state.paths() if path not in there]
                self._each(gone, lambda path: self._remove(path, folder, state, told, report), told, report)
            self._each(there, receive, told, report)
        return report

    def _synced(self, folder: Path, name: str) -> Any:
        return synced(folder, name, server=self._api.server, api_key=self._api_key)

    def _there(self, name: str, told: Options) -> dict[str, File]:
        """The files of a name, by their path below it; of several with one name the newest."""
        start, found = f"{name.rstrip('/')}/", dict[str, File]()
        for file in self._files.list(document_type=told.document_type, owner="me"):
            place = file["source_path"] or ""
            if file["status"] in PRESENT and place.startswith(start):
                found.setdefault(place.removeprefix(start), file)
        return found

    def _each(self, paths: Iterable[str], act: Callable[[str], None], told: Options, report: Report) -> None:
        """Do something for each path, several at once; what fails is reported."""
        lock = threading.Lock()

        def attempt(path: str) -> None:
            try:
                act(path)
            except (ClientError, OSError) as error:
                with lock:
                    report.failed[path] = error

        with ThreadPoolExecutor(told.jobs) as pool:
            for _ in pool.map(attempt, list(paths)):
                pass

    def _sha256_there(self, path: str, file: File, state: SyncState, told: Options) -> str | None:
        phrase = told.passphrase if file["has_passphrase"] else None
        return state.sha256_there(path, file) or self._files.digest(file["file_id"], passphrase=phrase)

    def _is_same(self, path: str, here: Path, there: File, state: SyncState, told: Options) -> bool:
        """Return whether a file here has the content of the one there; if so, it is kept that they agree."""
        if here.stat().st_size != there["size"]:
            return False
        sha256 = state.sha256_here(path, here)
        if sha256 != self._sha256_there(path, there, state, told):
            return False
        state.agree(path, here, sha256, there)
        return True

    def _send(
        self,
        path: str,
        here: Path,
        name: str,
        there: File | None,
        state: SyncState,
        told: Options,
        report: Report,
    ) -> None:
        if there is not None and self._is_same(path, here, there, state, told):
            self._delete_outdated(path, there, state, told)
            report.unchanged.append(path)
            return
        if told.dry_run:
            report.sent.append(path)
            return
        replaces = None if there is None or told.local else there["file_id"]
        if there is not None and told.local:
            state.outdate(path, there["file_id"])
        before = Identity.of(here.stat())
        file = self._files.upload(
            here,
            source_path=f"{name}/{path}",
            document_type=told.document_type,
            passphrase=told.passphrase,
            local=told.local,
            replaces=replaces,
            progress=told.track(path),
        )
        if file["status"] in AWAITED:
            report.awaited.append(path)
            return
        if file["status"] not in PRESENT:
            raise ClientError(f"{shown(path)} was rejected: {shown(file['reason'])}")
        self._delete_outdated(path, file, state, told)
        report.sent.append(path)
        self._remember(path, here, before, file, state, told)

    def _delete_outdated(self, path: str, there: File, state: SyncState, told: Options) -> None:
        """Delete the earlier file of a path, also where an earlier run was killed before it could."""
        if told.dry_run:
            return
        for outdated in state.outdated(path):
            if outdated != there["file_id"]:
                self._delete_unless_gone(outdated)
            state.replaced(path, outdated)

    def _delete_unless_gone(self, file_id: str) -> None:
        try:
            self._files.delete(file_id)
        except Problem as problem:
            if problem.status not in {404, 409}:
                raise

    def _remember(
        self, path: str, here: Path, before: Identity, file: File, state: SyncState, told: Options
    ) -> None:
        """Keep what was sent as known, unless the file changed right after."""
        sha256 = self._sha256_there(path, file, state, told)
        if sha256 is not None and Identity.of(here.stat()) == before:
            state.agree(path, here, sha256, file)

    def _receive(
        self, path: str, there: File, here: Path, state: SyncState, told: Options, report: Report
    ) -> None:
        exists = here.exists() or here.is_symlink()
        if exists and here.is_file() and self._is_same(path, here, there, state, told):
            report.unchanged.append(path)
            return
        if exists and not told.overwrite and not self._may_overwrite(path, here, state):
            raise Exists(
                f"{shown(here)} was changed here, and is another file there. Give --force to overwrite it, or move it away."
            )
        if not told.dry_run:
            here.parent.mkdir(parents=True, exist_ok=True)
            phrase = told.passphrase if there["has_passphrase"] else None
            target = Target(here, exists, told.mode)
            self._files.fetch(there, target, passphrase=phrase, local=told.local, progress=told.track(path))
            state.agree(path, here, state.sha256_here(path, here), there)
        report.received.append(path)

    def _may_overwrite(self, path: str, here: Path, state: SyncState) -> bool:
        return here.is_file() and not here.is_symlink() and state.is_ours(path, state.sha256_here(path, here))

    def _delete(self, path: str, there: File, state: SyncState, told: Options, report: Report) -> None:
        if not told.dry_run:
            self._files.delete(there["file_id"])
            state.drop(path)
        report.deleted.append(path)

    def _remove(self, path: str, folder: Path, state: SyncState, told: Options, report: Report) -> None:
        """Remove a file here that is no longer there, if nobody has changed it since."""
        here = place_for(path, folder)
        if not here.is_file():
            state.drop(path)
            return
        if not told.overwrite and not self._may_overwrite(path, here, state):
            raise Changed(
                f"{shown(here)} was changed here, and is no longer there. It stays; remove it yourself."
            )
        if not told.dry_run:
            here.unlink()
            state.drop(path)
        report.deleted.append(path)


def _first_at(paths: Iterable[str]) -> dict[PurePosixPath, str]:
    """The path there that a place here is for: of several whose names are one here, always the same."""
    first: dict[PurePosixPath, str] = {}
    for path in sorted(paths):
        first.setdefault(own_path(path), path)
    return first
