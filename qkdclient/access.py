"""Who may do what: oneself, principals, their API keys, and the rights that they give one another."""

from collections.abc import Iterator, Sequence

from qkdclient.resources import Item, Resource


class Principals(Resource):
    """Persons, services and groups."""

    _group = "principals"

    def list(self, *, kind: str | None = None, limit: int | None = None) -> Iterator[Item]:
        """List principals.

        Args:
            kind: only persons (user), services or groups.
            limit: at most so many.
        """
        return self._pages("principals", limit=limit, kind=kind)

    def get(self, principal_id: str) -> Item:
        """Get a principal: its role, groups and status."""
        return self._get(f"principals/{principal_id}")

    def disable(self, principal_id: str, *, reason: str) -> Item:
        """End what a principal can do, and its API keys.

        Args:
            principal_id: the principal.
            reason: goes into the audit trail.
        """
        return self._post(f"principals/{principal_id}/disable", reason=reason)

    def enable(self, principal_id: str, *, reason: str) -> Item:
        """Let a disabled principal act again.

        Args:
            principal_id: the principal.
            reason: goes into the audit trail.
        """
        return self._post(f"principals/{principal_id}/enable", reason=reason)


class ApiKeys(Resource):
    """API keys. A secret is shown once, by the answer that makes it."""

    _group = "api-keys"

    def list(self, *, principal: str | None = None, limit: int | None = None) -> Iterator[Item]:
        """List API keys; never a secret.

        Args:
            principal: only those of this principal.
            limit: at most so many.
        """
        return self._pages("api-keys", limit=limit, principal=principal)

    def get(self, key_id: str) -> Item:
        """Get an API key: whose it is, its limits, and when it was used last."""
        return self._get(f"api-keys/{key_id}")

    def issue(
        self,
        *,
        principal: str,
        name: str | None = None,
        scopes: Sequence[str] | None = None,
        networks: Sequence[str] | None = None,
        expires_at: str | None = None,
    ) -> Item:
        """Issue an API key; the answer shows its secret, once.

        Args:
            principal: whose it is.
            name: what it is for.
            scopes: the only ones that it has; by default all of its principal's.
            networks: the only ones that it may come from, such as 10.0.0.0/8.
            expires_at: when it ends, such as 2027-01-01T00:00:00Z.
        """
        return self._post(
            "api-keys",
            principal=principal,
            name=name,
            scopes=scopes,
            networks=networks,
            expires_at=expires_at,
        )

    def rotate(self, key_id: str, *, overlap_hours: int | None = None) -> Item:
        """Issue the successor of an API key; the answer shows its secret, once.

        Args:
            key_id: the API key.
            overlap_hours: how long the old one still works.
        """
        return self._post(f"api-keys/{key_id}/rotate", overlap_hours=overlap_hours)

    def revoke(self, key_id: str, *, reason: str) -> Item:
        """End an API key, for good.

        Args:
            key_id: the API key.
            reason: goes into the audit trail.
        """
        return self._post(f"api-keys/{key_id}/revoke", reason=reason)


class Grants(Resource):
    """Rights on files that one principal has given another."""

    _group = "grants"

    def list(
        self, *, grantee: str | None = None, file_id: str | None = None, limit: int | None = None
    ) -> Iterator[Item]:
        """List grants, newest first: those given to you, unless told otherwise.

        Args:
            grantee: those given to a group of yours.
            file_id: those on this file of yours.
            limit: at most so many.
        """
        return self._pages("grants", limit=limit, grantee=grantee, file_id=file_id)

    def get(self, grant_id: str) -> Item:
        """Get a grant: who may do what with which file, until when."""
        return self._get(f"grants/{grant_id}")

    def give(
        self,
        *,
        grantee: str,
        file_id: str | None = None,
        document_type: str | None = None,
        right: str | None = None,
        until: str | None = None,
    ) -> Item:
        """Let somebody read or write a file of yours, or all of a type.

        Args:
            grantee: such as user:ID, service:ID or group:ID.
            file_id: one file.
            document_type: all of your files of this type, instead.
            right: read (the default) or write.
            until: when it ends, such as 2027-01-01T00:00:00Z.
        """
        return self._post(
            "grants", grantee=grantee, file_id=file_id, document_type=document_type, right=right, until=until
        )

    def revoke(self, grant_id: str) -> Item:
        """Take a grant back; it ends at once."""
        ended: Item = self._api.call("DELETE", f"grants/{grant_id}")
        return ended
