"""Settings of alerts; the topic itself is ``ALERT_TOPIC_ARN``."""

from apps.common.environment import Section

section = Section("Alerts")

ALERT_ESCALATION_TOPIC_ARN = section.text(
    "ALERT_ESCALATION_TOPIC_ARN",
    "",
    about="The SNS topic that escalated alerts go to; empty: the same as all alerts.",
)
ALERT_ESCALATE_MINUTES = section.integer(
    "ALERT_ESCALATE_MINUTES",
    30,
    low=1,
    high=24 * 60,
    about="Minutes after which a critical alert that nobody acknowledged is escalated.",
)
ALERT_QUIET_FROM = section.integer(
    "ALERT_QUIET_FROM",
    0,
    low=0,
    high=23,
    about="The hour (UTC) from which only critical alerts are sent; the others wait.",
)
ALERT_QUIET_UNTIL = section.integer(
    "ALERT_QUIET_UNTIL", 0, low=0, high=23, about="The hour (UTC) that ends it; the same hour: never quiet."
)
ALERT_REFUSALS = section.integer(
    "ALERT_REFUSALS",
    20,
    low=1,
    about="Refused sign-ins or API keys of one source in a minute from which on they count as an attack.",
)
