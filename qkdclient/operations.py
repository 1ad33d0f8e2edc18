"""Jobs and the audit trail."""

import time
from collections.abc import Iterator

from qkdclient.resources import Item, Resource

FIRST_LOOK, LONGEST_LOOK = 0.2, 5.0


class Jobs(Resource):
    """Long work that the platform does."""

    _group = "jobs"

    def list(self, *, limit: int | None = None) -> Iterator[Item]:
        """List jobs, newest first."""
        return self._pages("jobs", limit=limit)

    def get(self, job_id: str) -> Item:
        """Get a job: its state, how far it is, and what came of it."""
        return self._get(f"jobs/{job_id}")

    def cancel(self, job_id: str) -> Item:
        """Cancel a job; it ends within seconds and leaves nothing half done."""
        return self._post(f"jobs/{job_id}/cancel")

    def wait(self, job_id: str, *, seconds: float = 600.0) -> Item:
        """Wait for a job's end; after that time it is answered as it is then.

        Args:
            job_id: the job.
            seconds: how long to wait at most.
        """
        deadline, pause = time.monotonic() + seconds, FIRST_LOOK
        while (job := self.get(job_id))["ended_at"] is None and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(1.5 * pause, LONGEST_LOOK)
        return job


class Audit(Resource):
    """The audit trail."""

    _group = "audit"

    def list(
        self,
        *,
        actor: str | None = None,
        key: str | None = None,
        session: str | None = None,
        file: str | None = None,
        approval: str | None = None,
        event: str | None = None,
        outcome: str | None = None,
        request_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Item]:
        """List entries, newest first; about one thing at a time.

        Args:
            actor: who did it.
            key: about this pool key.
            session: about this session.
            file: about this file.
            approval: about this approval.
            event: only of this event, which is looked for within each page.
            outcome: only ok, denied or failed ones, likewise.
            request_id: only what followed from the request whose answer had this X-Request-Id, likewise.
            since: only from this time on, such as 2026-01-01T00:00:00Z.
            until: only before this time.
            limit: at most so many.
        """
        about = {"actor": actor, "key": key, "session": session, "file": file, "approval": approval}
        about |= {
            "event": event,
            "outcome": outcome,
            "request_id": request_id,
            "since": since,
            "until": until,
        }
        return self._pages("audit", limit=limit, **about)

    def verify(self, *, depth: str | None = None) -> Item:
        """Have the trail verified; the answer is the job.

        Args:
            depth: how deep, as the API names it.
        """
        return self._post("audit/verifications", depth=depth)
