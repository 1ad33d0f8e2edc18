"""What a session shows of its link: everything that the parties counted, beside what the link explains without Eve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qkd.channel import Channel
from qkd.estimation import BasisCounts


@dataclass(frozen=True, kw_only=True)
class Clicks:
    """What was counted at one intensity: sifted clicks, and compared bits with their errors."""

    sifted: int
    compared: int
    errors: int


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Counts of a session and what was expected of them. It never holds a key.

    Attributes:
        compared: bits and errors per basis of the sample.
        corrected: bits and errors per basis of what was reconciled and verified; empty if it did not come to that.
        expected_qber: of the link without Eve, [0, 0.5]; None where it is not known.
        link: the link as it was planned with; None where it is not known.
        pulses: sent; 0 where it is not known.
        clicks: by intensity, strongest first; empty for single photons.
        aborted: code of the engine's reason to give no key (``qkd.session.AbortCode``).
    """

    compared: BasisCounts = field(default_factory=BasisCounts)
    corrected: BasisCounts = field(default_factory=BasisCounts)
    expected_qber: float | None = None
    link: Channel | None = None
    pulses: int = 0
    clicks: tuple[Clicks, ...] = ()
    aborted: str | None = None

    @property
    def all_bits(self) -> BasisCounts:
        """Compared and corrected bits together: every bit of which the parties know whether it was wrong."""
        a, b = self.compared, self.corrected
        return BasisCounts(
            a.n_rect + b.n_rect,
            a.errors_rect + b.errors_rect,
            a.n_diag + b.n_diag,
            a.errors_diag + b.errors_diag,
        )


def evidence_of(ledger: Mapping[str, Any], *, compared: BasisCounts) -> Evidence:
    """Read a session's evidence from its ledger (``qkd.results.SessionResult.ledger``).

    Args:
        ledger: what is missing in it, as in ledgers of other sources, was not observed.
        compared: errors per basis of the sample, which every session has.
    """
    link = ledger.get("link")
    return Evidence(
        compared=compared,
        corrected=BasisCounts(**ledger.get("corrected", {})),
        expected_qber=ledger.get("expected_qber"),
        link=Channel(**link) if link else None,
        pulses=int(ledger.get("lengths", {}).get("raw", 0)),
        clicks=tuple(
            Clicks(
                sifted=count["key_clicks"] + count["test_clicks"],
                compared=count["test_clicks"],
                errors=count["test_errors"],
            )
            for count in ledger.get("decoys", ())
        ),
        aborted=ledger.get("aborted"),
    )
