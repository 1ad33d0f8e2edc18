"""Settings of domain events."""

from apps.common.environment import Section

section = Section("Domain events")

EVENT_BUS = section.text(
    "EVENT_BUS", "", about="The bus of EventBridge that domain events go to; empty: none."
)
WEBHOOK_PRIVATE = section.flag(
    "WEBHOOK_PRIVATE",
    default=False,
    about="Whether webhooks may be in private networks, and without TLS.",
)
