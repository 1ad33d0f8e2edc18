"""Sessions of quantum key distribution, their verdicts, and the stock of quantum keys."""

from collections.abc import Iterator, Mapping
from typing import Any

from qkdclient.resources import Item, Resource

Channel = str | Mapping[str, Any]


class Sessions(Resource):
    """Sessions, run and judged by the platform."""

    _group = "sessions"

    def generate(
        self,
        *,
        key_length: int | str = 128,
        at_least: int | None = None,
        error_rate: float | None = None,
        channel: Channel | None = None,
        eavesdropper: Mapping[str, Any] | None = None,
        link: str | None = None,
    ) -> Item:
        """Run a session; a long one is answered as a job.

        Args:
            key_length: bits, 64 to 1,048,576, or all for every secret bit that there is.
            at_least: of all, the bits for which the photons are planned; 4,096 unless given.
            error_rate: of the channel, 0 to 0.5; 0.02 unless a channel is given.
            channel: a preset's name, or its parameters as JSON.
            eavesdropper: its kind and fraction as JSON; the session is a study then, and encrypts nothing.
            link: one that you may use.
        """
        return self._post(
            "qkd/generate",
            key_length=key_length,
            at_least=at_least,
            error_rate=error_rate,
            channel=channel,
            eavesdropper=eavesdropper,
            link=link,
        )

    def generate_many(
        self,
        *,
        count: int,
        key_length: int | str = 128,
        at_least: int | None = None,
        error_rate: float | None = None,
        channel: Channel | None = None,
        link: str | None = None,
    ) -> Item:
        """Run sessions in the background; the answer is the job.

        Args:
            count: how many, 1 to 1,000.
            key_length: bits of each, or all for every secret bit that there is.
            at_least: of all, the bits for which the photons are planned; 4,096 unless given.
            error_rate: of the channel, 0 to 0.5.
            channel: a preset's name, or its parameters as JSON.
            link: one that you may use.
        """
        return self._post(
            "qkd/batches",
            count=count,
            key_length=key_length,
            at_least=at_least,
            error_rate=error_rate,
            channel=channel,
            link=link,
        )

    def list(
        self, *, status: str | None = None, link: str | None = None, limit: int | None = None
    ) -> Iterator[Item]:
        """List sessions, newest first.

        Args:
            status: only with this status.
            link: only over this link; one filter at a time.
            limit: at most so many.
        """
        return self._pages("qkd/sessions", limit=limit, status=status, link=link)

    def get(self, session_id: str) -> Item:
        """Get a session: its figures, its outcome and how many keys are left; never a key."""
        return self._get(f"qkd/session/{session_id}")

    def keys(self, session_id: str, *, limit: int | None = None) -> Iterator[Item]:
        """List the quantum keys that were taken from a session, and for what."""
        return self._pages(f"qkd/session/{session_id}/keys", limit=limit)

    def revoke(self, session_id: str, *, reason: str) -> Item:
        """Take a session's keys out of use, for good.

        Args:
            session_id: the session.
            reason: goes into the audit trail.
        """
        return self._post(f"qkd/session/{session_id}/revoke", reason=reason)

    def stock(self) -> Item:
        """How many quantum keys are ready."""
        return self._get("qkd/stock")


class Detections(Resource):
    """Verdicts on sessions."""

    _group = "detections"

    def list(self, *, verdict: str | None = None, limit: int | None = None) -> Iterator[Item]:
        """List verdicts, newest first.

        Args:
            verdict: only clean, anomalous or compromised ones.
            limit: at most so many.
        """
        return self._pages("detections", limit=limit, verdict=verdict)

    def get(self, session_id: str) -> Item:
        """Get the verdict on a session, with its reasons."""
        return self._get(f"detections/{session_id}")
