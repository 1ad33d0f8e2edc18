"""What the trail records about principals, API keys and grants."""

from apps.audit.records import Event


class PrincipalEvent(Event):
    """Entries about persons, services and groups."""

    MADE = "principal.made", "A person, service or group was made known."
    CHANGED = "principal.changed", "A principal's role, groups or right to approve changed."
    DISABLED = "principal.disabled", "A principal was disabled; it acts no more."
    ENABLED = "principal.enabled", "A disabled principal may act again."


class ApiKeyEvent(Event):
    """Entries about API keys."""

    ISSUED = "api_key.issued", "An API key was issued, and handed out once."
    LIMITED = "api_key.limited", "An API key's scopes, networks or expiry were limited."
    REVOKED = "api_key.revoked", "An API key was revoked; it is refused from then on."


class GrantEvent(Event):
    """Entries about grants."""

    GIVEN = "grant.given", "Somebody was given a right on what is another's."
    REVOKED = "grant.revoked", "A grant was taken back."
