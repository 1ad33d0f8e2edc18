"""What the platform tells of files, and what is done with a file as a whole."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qkdclient import announcing, keeping
from qkdclient.announcing import File
from qkdclient.resources import Resource


class FileRecords(Resource):
    """Files, without their content."""

    _group = "files"

    def list(
        self,
        *,
        document_type: str | None = None,
        owner: str | None = None,
        name_prefix: str | None = None,
        status: str | None = None,
        uploaded_after: str | None = None,
        uploaded_before: str | None = None,
        size_min: int | None = None,
        size_max: int | None = None,
        attribute: str | None = None,
        limit: int | None = None,
    ) -> Iterator[File]:
        """List files, newest first; by name where a beginning of it is given.

        Args:
            document_type: only of this type.
            owner: whose: me, a group of yours (group:ID), or shared for what was granted to you.
            name_prefix: only names that begin so.
            status: only with this status.
            uploaded_after: only later ones, such as 2026-01-01T00:00:00Z.
            uploaded_before: only earlier ones.
            size_min: only of so many bytes or more.
            size_max: only of so many bytes or fewer.
            attribute: only those with it, as name:value.
            limit: at most so many.
        """
        filters: dict[str, Any] = {
            "document_type": document_type,
            "owner": owner,
            "name_prefix": name_prefix,
            "status": status,
        }
        filters |= {"uploaded_after": uploaded_after, "uploaded_before": uploaded_before}
        filters |= {"size_min": size_min, "size_max": size_max, "attribute": attribute}
        return self._pages("files", limit=limit, **filters)

    def get(self, file_id: str) -> File:
        """Get a file's metadata."""
        return self._get(f"files/{file_id}")

    def versions(self, file_id: str, *, limit: int | None = None) -> Iterator[File]:
        """List what a file was before, newest first; each is downloaded by its own id."""
        return self._pages(f"files/{file_id}/versions", limit=limit)

    def update(
        self,
        file_id: str,
        *,
        name: str | None = None,
        document_type: str | None = None,
        media_type: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        expires_at: str | None = None,
        keep_for_good: bool | None = None,
        if_match: str | None = None,
    ) -> File:
        """Change what is told of a file; what is left out stays.

        Args:
            file_id: the file.
            name: its new name.
            document_type: its new type.
            media_type: its new media type, such as text/csv.
            attributes: all of its new attributes, as JSON.
            expires_at: when it is deleted, such as 2027-01-01T00:00:00Z.
            keep_for_good: it is not deleted any more.
            if_match: its etag as get showed it; it is changed only while it is still so.
        """
        told: dict[str, Any] = {"name": name, "document_type": document_type, "media_type": media_type}
        told |= {"attributes": attributes, "expires_at": expires_at}
        body = {key: value for key, value in told.items() if value is not None}
        if keep_for_good:
            body["expires_at"] = None
        changed: File = self._api.call("PATCH", f"files/{file_id}", body, if_match=if_match, with_etag=True)
        return changed

    def keep(self, file_id: str, *, folder: str = ".") -> dict[str, str]:
        """Keep a file offline as it is stored: its ciphertext and its envelope, which qkdseal opens with the two keys.

        Args:
            file_id: an encrypted file.
            folder: where NAME.body and NAME.envelope.json go.
        """
        return keeping.keep(self._api, self.get(file_id), Path(folder))

    def delete(self, file_id: str) -> File:
        """Delete a file; ``restore`` brings it back."""
        deleted: File = self._api.call("DELETE", f"files/{file_id}")
        return deleted

    def restore(self, file_id: str) -> File:
        """Bring a deleted or archived file back."""
        restored: File = self._api.call("POST", f"files/{file_id}/restore")
        return restored

    def archive(self, file_id: str, *, storage_class: str | None = None) -> File:
        """Move a file to cold storage; ``restore`` brings it back.

        Args:
            file_id: an encrypted file.
            storage_class: GLACIER_IR (the default, readable at once), GLACIER or DEEP_ARCHIVE.
        """
        asked = {} if storage_class is None else {"storage_class": storage_class}
        archived: File = self._api.call("POST", f"files/{file_id}/archive", asked)
        return archived

    def digest(self, file_id: str, *, passphrase: str | None = None) -> str | None:
        """The SHA-256 of a file's plaintext in hex, as ``sha256sum`` gives it; None where nobody has told it."""
        return announcing.digest_of(self._api, file_id, passphrase)
