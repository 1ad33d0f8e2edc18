"""What the trail records about principals, API keys and grants."""

from apps.audit.records import Event


class PrincipalEvent(Event):
    """Entries about persons, services and groups."""

    MADE = "principal.made", "A person, service or group was made known."
    CHANGED = "principal.changed", "A principal's role, groups, right to approve or quotas changed."
    DISABLED = "principal.disabled", "A principal was disabled; it acts no more."
    ENABLED = "principal.enabled", "A disabled principal may act again."


class ApiKeyEvent(Event):
    """Entries about API keys."""

    ISSUED = "api_key.issued", "An API key was issued, and handed out once."
    LIMITED = "api_key.limited", "An API key's scopes, networks or expiry were limited."
    ROTATED = "api_key.rotated", "An API key got a successor, and ends after the overlap."
    EXPIRING = "api_key.expiring", "An API key ends soon, and its principal has no other that lasts."
    REVOKED = "api_key.revoked", "An API key was revoked; it is refused from then on."


class GrantEvent(Event):
    """Entries about grants."""

    GIVEN = "grant.given", "Somebody was given a right on what is another's."
    REVOKED = "grant.revoked", "A grant was taken back."


class SignInEvent(Event):
    """Entries about who came in, and who was refused."""

    DONE = "sign_in.done", "A person signed in to the console."
    ENDED = "sign_in.ended", "A person signed out of the console."
    REFUSED = "sign_in.refused", "Sign-ins to the console were refused; counted by source and minute."
    KEY_REFUSED = "api_key.refused", "API keys were refused; counted by source and minute."
    LOCKED = (
        "sign_in.locked",
        "Sign-ins were held off after too many refusals, whatever the password; counted by source and minute.",
    )
    FACTOR_REFUSED = "sign_in.factor_refused", "Second factors were refused; counted by source and minute."
    FACTOR_USED = "sign_in.factor_used", "A second factor or recovery code was accepted."
    CONFIRMED = "sign_in.confirmed", "A person confirmed by password or factor who they are."
    EXPIRED = "sign_in.expired", "A person was signed out after a time without activity."
    POOL_REFUSED = "sign_in.pool_refused", "Somebody of the organisation's pool has no role here."


class UserEvent(Event):
    """Entries about users and groups of the console, as Django keeps them."""

    MADE = "user.made", "A user of the console was made."
    CHANGED = "user.changed", "A user's data, groups or permissions were changed."
    REMOVED = "user.removed", "A user of the console was removed."
    PASSWORD_SET = "user.password_set", "A user's password was set."
    FACTOR_ADDED = "user.factor_added", "A second factor of a user was added."
    FACTOR_REMOVED = (
        "user.factor_removed",
        "A second factor of a user was removed, by them or by an administrator.",
    )
    CODES_MADE = "user.codes_made", "Recovery codes of a user were made; codes before no longer count."
    RESET_LINK = "user.reset_link", "An administrator made a link by which a user sets a password."
    GROUP_MADE = "user_group.made", "A group of users was made."
    GROUP_CHANGED = "user_group.changed", "The name or the permissions of a group of users were changed."
    GROUP_REMOVED = "user_group.removed", "A group of users was removed."


# Functions that write without an entry of their own, and why. docs/recorded.md shows them.
UNRECORDED = {
    "apps.access.api_keys._note_use": "When a key was last used, to the hour: it decides nothing, and what it was used for has entries of its own.",
    "apps.access.first_operator._user_with_new_password": "Saving a user whose password was set leaves `user.password_set`.",
    "apps.access.ready_roles.sync": "Ready roles follow the release; who is put into one is recorded.",
    "apps.access.ready_roles.put_into": "The group follows the principal's role, whose change is recorded.",
    "apps.access.pool_people._made": "Before it saves, `recorded_changes.record_made` leaves `user.made`.",
    "apps.access.console.adapters.PoolAdapter.pre_social_login": "Keeps that a subject is a user; the sign-in that follows leaves `sign_in.done`.",
    "apps.access.second_factors.remove_all": "Django tells of each factor before it is deleted, which leaves `user.factor_removed`.",
    "apps.access.people._new_user": "Its caller `admit` records `user.made` in the same database transaction.",
}
