"""Was somebody listening? Pure statistics on a session's error counts and on the link's history.

``judge`` never sees a key. A verdict of *compromised* means: the error rate is above the threshold, or the errors
are more than the channel explains, or they depend on the basis as no honest channel of ours makes them. A *drift*
away from the link's own history is reported as an anomaly before it comes to that.
"""

from qkd.detection.judgement import DEFAULT_SIGNIFICANCE, DEFAULT_THRESHOLD, DRIFT_SIGNIFICANCE, judge
from qkd.detection.statistics import MIN_HISTORY, chi_square_bases, chi_square_expected, drift
from qkd.detection.verdict import CONVICTING, Reason, ReasonCode, Verdict

__all__ = [
    "CONVICTING",
    "DEFAULT_SIGNIFICANCE",
    "DEFAULT_THRESHOLD",
    "DRIFT_SIGNIFICANCE",
    "MIN_HISTORY",
    "Reason",
    "ReasonCode",
    "Verdict",
    "chi_square_bases",
    "chi_square_expected",
    "drift",
    "judge",
]
