"""What the trail records about webhooks."""

from apps.audit.records import Event


class WebhookEvent(Event):
    """Entries about one webhook."""

    MADE = "webhook.made", "An address is told of domain events from now on."
    ENDED = "webhook.ended", "An address is told no more."
    REPLAYED = "webhook.replayed", "A delivery was asked for again."


# Functions that write without an entry of their own, and why. docs/recorded.md shows them.
UNRECORDED = {
    "apps.notices.services.add": "That a webhook is to be told of an entry of the trail, which stands there.",
    "apps.notices.services._note": "How an attempt to deliver ended: the list of deliveries shows it for 30 days.",
}
