"""The files of compliance reports: downloaded, and compared with the digests that their report names."""

import hashlib
import io
import json
import os
from pathlib import Path
from typing import BinaryIO

from qkdclient.errors import Damaged, Problem
from qkdclient.keeping import fetch
from qkdclient.locks import PRIVATE
from qkdclient.names import shown
from qkdclient.resources import Resource
from qkdclient.targets import part_of, target_of

INDEX = "files.json"  # names the files of a report that has many


class Reports(Resource):
    """Compliance reports of a period."""

    _group = "reports"

    def get_file(
        self,
        report_id: str,
        name: str,
        output: str | os.PathLike[str] | None = None,
        *,
        overwrite: bool = False,
        mode: int = PRIVATE,
    ) -> Path:
        """Download a file of a report; it gets its name once its SHA-256, read from the disk, is the report's.

        Args:
            report_id: the report.
            name: of the file, as ``get`` shows it.
            output: the path of the file, or a folder; by default its own name in this folder.
            overwrite: overwrite a file that has its own name; one that ``output`` names is overwritten.
            mode: the permissions of the new file.

        Raises:
            Exists: there is a file of that name.
            Busy: another process downloads it to the same place.
            Damaged: what came is not what the report names; no file is left.
        """
        target = target_of(name, name, output, overwrite=overwrite, mode=mode)
        if target.is_stream:
            with target.path.open("wb") as out:
                self.write_to(report_id, name, out)
            return target.path
        target.check()
        digest = self._digest(report_id, name)
        with part_of(target, server=self._api.server, file_id=f"{report_id} {name}", version=0) as part:
            part.keep(0)
            fetch(self._api, self._address(report_id, name), part.write)
            if part.sha256() != digest:
                part.remove()
                raise Damaged(f"What came of {shown(name)} is not what its report names. Download it again.")
            part.publish(target)
        return target.path

    def write_to(self, report_id: str, name: str, out: BinaryIO) -> None:
        """Write a file of a report to a stream as it comes.

        Raises:
            Damaged: what was written is not what the report names, and has to be discarded.
        """
        digest, sha256 = self._digest(report_id, name), hashlib.sha256()

        def write(piece: bytes) -> None:
            sha256.update(piece)
            out.write(piece)

        fetch(self._api, self._address(report_id, name), write)
        if sha256.hexdigest() != digest:
            raise Damaged(f"What was written of {shown(name)} is not what its report names. Discard it.")

    def _digest(self, report_id: str, name: str) -> str:
        """The SHA-256 that the report names; of one with many files, its index does, whose own the report names."""
        files = self._get(f"reports/{report_id}")["files"]
        if name not in files and INDEX in files:
            index = io.BytesIO()
            self.write_to(report_id, INDEX, index)
            files = json.loads(index.getvalue())["files"]
        if name not in files:
            raise Problem(404, f"The report has no file {shown(name)}. `reports get` shows which it has.")
        return str(files[name]["sha256"])

    def _address(self, report_id: str, name: str) -> str:
        return str(self._api.call("POST", f"reports/{report_id}/files/{name}")["url"])
