"""What callers may do with webhooks."""

from apps.access.roles import Role, Scope


class WebhookScope(Scope):
    """Webhooks."""

    READ = "webhooks:read", "See webhooks and their deliveries; never a secret.", Role.OPERATOR, Role.AUDITOR
    MANAGE = "webhooks:manage", "Make and end webhooks, and replay deliveries."
