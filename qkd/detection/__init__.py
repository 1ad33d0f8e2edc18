"""Was somebody listening? Exact statistics on a session's counts and on the link's history.

``judge`` never sees a key. It gets all that the parties counted (``Evidence``): compared and corrected bits per basis,
clicks and errors per intensity, the engine's own reason to stop. A verdict is a table of tests with exact p-values. The
convicting ones together meet one stated false-alarm level; the others (fewer errors than the link explains, another
loss, a rise or a drift against the link's history) draw attention and convict nobody.
"""

from qkd.detection.evidence import Clicks, Evidence, evidence_of
from qkd.detection.judgement import ATTENTION_SIGNIFICANCE, DEFAULT_SIGNIFICANCE, DEFAULT_THRESHOLD, judge
from qkd.detection.statistics import MIN_HISTORY, chi_square_bases, chi_square_expected
from qkd.detection.verdict import CONVICTING, Reason, ReasonCode, Test, Verdict, probability_text

__all__ = [
    "ATTENTION_SIGNIFICANCE",
    "CONVICTING",
    "DEFAULT_SIGNIFICANCE",
    "DEFAULT_THRESHOLD",
    "MIN_HISTORY",
    "Clicks",
    "Evidence",
    "Reason",
    "ReasonCode",
    "Test",
    "Verdict",
    "chi_square_bases",
    "chi_square_expected",
    "evidence_of",
    "judge",
    "probability_text",
]
