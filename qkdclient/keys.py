"""Pool keys: seen, rotated, taken out of use; what needs two persons is asked for here and decided by approvals."""

from collections.abc import Iterator

from qkdclient.resources import Item, Resource


class Keys(Resource):
    """Pool keys; never their seeds."""

    _group = "keys"

    def list(self, *, state: str | None = None, limit: int | None = None) -> Iterator[Item]:
        """List pool keys, newest first.

        Args:
            state: only in this state.
            limit: at most so many.
        """
        return self._pages("keys", limit=limit, state=state)

    def get(self, key_id: str) -> Item:
        """Get a pool key: its state, suite, public key and use."""
        return self._get(f"keys/{key_id}")

    def rotate(self, key_id: str, *, reason: str, below_low_water: bool | None = None) -> Item:
        """Rotate a pool key: a job moves its files to another.

        Args:
            key_id: the pool key.
            reason: goes into the audit trail.
            below_low_water: even where its pool runs low.
        """
        return self._post(f"keys/{key_id}/rotate", reason=reason, below_low_water=below_low_water)

    def suspend(self, key_id: str, *, reason: str, below_low_water: bool | None = None) -> Item:
        """Encrypt nothing more with a pool key, until it is resumed.

        Args:
            key_id: the pool key.
            reason: goes into the audit trail.
            below_low_water: even where its pool runs low.
        """
        return self._post(f"keys/{key_id}/suspend", reason=reason, below_low_water=below_low_water)

    def resume(self, key_id: str, *, reason: str) -> Item:
        """Encrypt with a suspended pool key again.

        Args:
            key_id: the pool key.
            reason: goes into the audit trail.
        """
        return self._post(f"keys/{key_id}/resume", reason=reason)

    def revoke(self, key_id: str, *, reason: str, below_low_water: bool | None = None) -> Item:
        """Mark a pool key as compromised, for good; a job moves its files to others.

        Args:
            key_id: the pool key.
            reason: goes into the audit trail.
            below_low_water: even where its pool runs low.
        """
        return self._post(f"keys/{key_id}/revoke", reason=reason, below_low_water=below_low_water)

    def activate(self, key_id: str, *, reason: str) -> Item:
        """Ask for the activation of an imported pool key; the answer is the approval that somebody else decides.

        Args:
            key_id: the pool key.
            reason: what the other person is told.
        """
        return self._post(f"keys/{key_id}/activate", reason=reason)

    def destroy(self, key_id: str, *, reason: str, lose_messages: bool | None = None) -> Item:
        """Ask for the destruction of a pool key; the answer is the approval that somebody else decides.

        Args:
            key_id: the pool key.
            reason: what the other person is told.
            lose_messages: even where messages are still encrypted under it.
        """
        return self._post(f"keys/{key_id}/destruction", reason=reason, lose_messages=lose_messages)

    def cancel_destruction(self, key_id: str, *, reason: str) -> Item:
        """Keep a pool key whose destruction is scheduled.

        Args:
            key_id: the pool key.
            reason: goes into the audit trail.
        """
        return self._post(f"keys/{key_id}/destruction/cancel", reason=reason)

    def export(self, key_id: str, *, reason: str, recipient_suite: str, recipient_public_key: str) -> Item:
        """Ask for a pool key's seed, sealed to a recipient; the answer is the approval that somebody else decides.

        Args:
            key_id: the pool key.
            reason: what the other person is told.
            recipient_suite: of the recipient's key pair.
            recipient_public_key: in base64.
        """
        return self._post(
            f"keys/{key_id}/export",
            reason=reason,
            recipient_suite=recipient_suite,
            recipient_public_key=recipient_public_key,
        )


class Pools(Resource):
    """Named keys: pools of key pairs, with aliases, users and managers."""

    _group = "pools"

    def list(self) -> Iterator[Item]:
        """List the key pools that you may use."""
        yield from self._get("pools")["items"]  # there are so few that they are one page

    def get(self, name: str) -> Item:
        """Get a key pool by its name or an alias."""
        return self._get(f"pools/{name}")


class Approvals(Resource):
    """What one person asks for and another one decides."""

    _group = "approvals"

    def list(self, *, status: str | None = None, limit: int | None = None) -> Iterator[Item]:
        """List approvals, newest first.

        Args:
            status: only with this status.
            limit: at most so many.
        """
        return self._pages("approvals", limit=limit, status=status)

    def get(self, approval_id: str) -> Item:
        """Get an approval: what is asked for, by whom, and until when."""
        return self._get(f"approvals/{approval_id}")

    def approve(self, approval_id: str) -> Item:
        """Approve what another person asked for."""
        return self._post(f"approvals/{approval_id}/approve")

    def refuse(self, approval_id: str) -> Item:
        """Refuse what another person asked for."""
        return self._post(f"approvals/{approval_id}/refuse")

    def withdraw(self, approval_id: str) -> Item:
        """Withdraw what you asked for."""
        return self._post(f"approvals/{approval_id}/withdraw")

    def activate(self, approval_id: str) -> Item:
        """Activate the imported pool key, as was approved."""
        return self._post(f"approvals/{approval_id}/activate")

    def destroy(self, approval_id: str) -> Item:
        """Schedule the destruction of the pool key, as was approved."""
        return self._post(f"approvals/{approval_id}/destroy")

    def export(self, approval_id: str) -> Item:
        """Get the pool key's seed, sealed to the recipient, as was approved."""
        return self._post(f"approvals/{approval_id}/export")


class Rotations(Resource):
    """Files on their way from one pool key to another."""

    _group = "rotations"

    def list(self, *, limit: int | None = None) -> Iterator[Item]:
        """List rotations, newest first."""
        return self._pages("rotations", limit=limit)

    def get(self, rotation_id: str) -> Item:
        """Get a rotation: from which key to which, and how far."""
        return self._get(f"rotations/{rotation_id}")

    def resume(self, rotation_id: str) -> Item:
        """Go on with a rotation that stopped; the answer is the job."""
        return self._post(f"rotations/{rotation_id}/resume")
