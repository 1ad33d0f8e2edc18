"""Settings of the judgement of sessions."""

from apps.common.environment import Section

section = Section("Detections")

QBER_THRESHOLD = section.real(
    "QBER_THRESHOLD", 0.11, low=0.0, high=0.5, about="The error rate above which BB84 yields no secret bits."
)
