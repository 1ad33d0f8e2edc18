"""Principals, credentials and grants in and out of the API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.access.grants import file_object, type_object
from apps.access.limits import limit_of
from apps.access.quotas import ABOUT, MOST, NEAR, Quota
from apps.access.records import KeyStatus, PrincipalKind, PrincipalStatus, Right
from apps.access.roles import Role
from apps.common.lists import ListQuery
from apps.common.serializers import (
    FlagField,
    PatternField,
    RecordOut,
    StrictSerializer,
    TextField,
    WholeField,
)

ROLES = [(role.value, role.value) for role in Role]
KINDS = [(kind.value, kind.value) for kind in PrincipalKind]
PRINCIPAL_STATES = [(status.value, status.value) for status in PrincipalStatus]
KEY_STATES = [(status.value, status.value) for status in KeyStatus]
RIGHTS = [(right.value, right.value) for right in Right]
QUOTAS = [(quota.value, quota.value) for quota in Quota]
ID = r"^(?:user|service|group):[A-Za-z0-9-]{1,64}$"
GROUP = r"^group:[A-Za-z0-9-]{1,64}$"


class PrincipalListQuery(ListQuery):
    """Filters of the list of principals."""

    kind = serializers.ChoiceField(choices=KINDS, required=False)


class ServiceIn(StrictSerializer):
    """A service: a program that acts with API keys."""

    EXAMPLES = ({"name": "importer", "role": "client"},)

    name = TextField(max_length=255)
    role = serializers.ChoiceField(choices=ROLES, default=Role.CLIENT.value)
    groups = serializers.ListField(child=PatternField(GROUP), default=list, max_length=50)


class GroupIn(StrictSerializer):
    """A group, which owns what its members share."""

    EXAMPLES = ({"name": "accounts"},)

    name = TextField(max_length=255)


class QuotasIn(StrictSerializer):
    """How much may be used in a calendar month (UTC); what is left out is not limited here."""

    keys = WholeField(min_value=0, max_value=MOST, required=False, help_text=ABOUT[Quota.KEYS])
    files = WholeField(min_value=0, max_value=MOST, required=False, help_text=ABOUT[Quota.FILES])
    bytes = WholeField(min_value=0, max_value=MOST, required=False, help_text=ABOUT[Quota.BYTES])
    jobs = WholeField(min_value=0, max_value=MOST, required=False, help_text=ABOUT[Quota.JOBS])


class PrincipalPatchIn(StrictSerializer):
    """What changes of a principal; what is left out stays."""

    role = serializers.ChoiceField(choices=ROLES, required=False)
    groups = serializers.ListField(child=PatternField(GROUP), required=False, max_length=50)
    approver = FlagField(required=False, help_text="whether a person may be the second one; persons only")
    quotas = QuotasIn(
        required=False,
        help_text="all of them; {} leaves those of its groups and of the platform. A group's hold for each member",
    )


class ReasonedIn(StrictSerializer):
    """Why; kept in the trail."""

    reason = TextField(max_length=255)


class QuotasOut(serializers.Serializer[Any]):
    """How much may be used in a calendar month; what is missing is not limited here."""

    keys = serializers.IntegerField(required=False)
    files = serializers.IntegerField(required=False)
    bytes = serializers.IntegerField(required=False)
    jobs = serializers.IntegerField(required=False)


class PrincipalOut(RecordOut):
    """A person, service or group."""

    ROW = "principals/{0.principal_id}"

    principal_id = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=ROLES)
    status = serializers.ChoiceField(choices=PRINCIPAL_STATES)
    groups = serializers.ListField(child=serializers.CharField())
    approver = serializers.BooleanField()
    quotas = serializers.SerializerMethodField(
        help_text="what it may use in a month, where that was set for it"
    )
    reason = serializers.CharField(help_text="why it was disabled")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()

    @extend_schema_field(QuotasOut)
    def get_quotas(self, principal: Any) -> dict[str, int]:
        return dict(principal.quotas or {})


class UsageOut(serializers.Serializer[Any]):
    """What was used of one thing in a month, and how much may be."""

    quota = serializers.ChoiceField(choices=QUOTAS)
    used = serializers.IntegerField()
    allowed = serializers.IntegerField(allow_null=True, help_text="null: as much as wanted")
    remaining = serializers.IntegerField(allow_null=True)
    near = serializers.BooleanField(source="is_near", help_text=f"{NEAR:.0%} of it or more is used")


class MonthOut(serializers.Serializer[Any]):
    """What a principal has used in the calendar month (UTC)."""

    principal = serializers.CharField()
    begins = serializers.DateTimeField()
    ends = serializers.DateTimeField()
    counted_at = serializers.DateTimeField(help_text="what came seconds before may not be in it yet")
    usages = UsageOut(many=True)


class ApiKeyListQuery(ListQuery):
    """Filters of the list of API keys."""

    principal = PatternField(ID, required=False, source="principal_id")


class ApiKeyLimitsIn(StrictSerializer):
    """What a key may do, from where, until when; what is left out stays, or is not limited."""

    scopes = serializers.ListField(child=TextField(max_length=64), required=False, max_length=100)
    networks = serializers.ListField(
        child=TextField(max_length=64), required=False, max_length=50, help_text="such as 192.0.2.0/24"
    )
    expires_at = serializers.DateTimeField(required=False)


class ApiKeyIn(ApiKeyLimitsIn):
    """A key of a person or service."""

    principal = PatternField(ID)
    name = TextField(max_length=255, default="", allow_blank=True)


class RotationIn(StrictSerializer):
    """How long the key and its successor are both valid."""

    overlap_hours = WholeField(min_value=0, max_value=24 * 90, default=24)


class ApiKeyOut(RecordOut):
    """A credential; of its secret nothing."""

    ROW = "api-keys/{0.key_id}"

    key_id = serializers.CharField()
    principal = serializers.CharField(source="principal_id")
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=KEY_STATES)
    scopes = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="null: all of the role's"
    )
    networks = serializers.ListField(child=serializers.CharField(), help_text="empty: from anywhere")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="an hour exact")
    reason = serializers.CharField(help_text="why it was revoked")


class IssuedKeyOut(ApiKeyOut):
    """A new credential and its secret, which is shown here and never again."""

    secret = serializers.SerializerMethodField(
        help_text="for X-API-Key; null where the request is answered again: it is not kept"
    )

    def get_secret(self, _key: Any) -> str | None:
        secret: str | None = self.context.get("secret")
        return secret


class GrantListQuery(ListQuery):
    """Which grants: those given to a principal or group, or those on one of one's own files or types."""

    grantee = PatternField(ID, required=False)
    file_id = TextField(required=False, max_length=128)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "grantee" in attrs and "file_id" in attrs:
            raise serializers.ValidationError({"file_id": "use one filter at a time: grantee or file_id"})
        return attrs


class GrantIn(StrictSerializer):
    """A right on one file, or on all of the caller's files of a type: exactly one of them."""

    EXACTLY_ONE = ("file_id", "document_type")

    grantee = PatternField(ID)
    file_id = TextField(required=False, max_length=128)
    document_type = TextField(required=False, max_length=64)
    right = serializers.ChoiceField(choices=RIGHTS, default=Right.READ.value)
    until = serializers.DateTimeField(required=False, help_text="without it, until it is revoked")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("file_id" in attrs) == ("document_type" in attrs):
            raise serializers.ValidationError({"file_id": "give exactly one of file_id and document_type"})
        return attrs

    @staticmethod
    def name_of(attrs: dict[str, Any], owner: str) -> str:
        """Name the object of a checked grant."""
        if "file_id" in attrs:
            return file_object(attrs["file_id"])
        return type_object(owner, attrs["document_type"])


class GrantOut(RecordOut):
    """A right that somebody was given on what is another's."""

    ROW = "grants/{0.grant_id}"

    grant_id = serializers.CharField()
    grantee = serializers.CharField()
    object = serializers.CharField(help_text="file:<id>, or type:<owner>|<document type>")
    right = serializers.ChoiceField(choices=RIGHTS)
    owner = serializers.CharField()
    granted_at = serializers.DateTimeField()
    granted_by = serializers.CharField()
    until = serializers.DateTimeField(allow_null=True)


class LimitOut(serializers.Serializer[Any]):
    """How many requests that need a scope are admitted, over all instances."""

    scope = serializers.CharField()
    per_second = serializers.IntegerField()
    per_minute = serializers.IntegerField()


class WhoOut(serializers.Serializer[Any]):
    """Who calls, with what, until when."""

    principal = serializers.CharField(source="principal.principal_id")
    kind = serializers.ChoiceField(source="principal.kind", choices=KINDS)
    name = serializers.CharField(source="principal.name")
    role = serializers.ChoiceField(source="principal.role", choices=ROLES)
    groups = serializers.ListField(source="principal.groups", child=serializers.CharField())
    approver = serializers.BooleanField(source="principal.approver")
    credential = serializers.CharField(source="key_id", help_text="the API key, or jwt:<hash of the token>")
    scopes = serializers.SerializerMethodField()
    expires_at = serializers.DateTimeField(source="key.expires_at", allow_null=True)
    networks = serializers.SerializerMethodField(
        help_text="from where the key may be used; empty: from anywhere"
    )

    limits = serializers.SerializerMethodField(
        help_text="requests by scope; a scope without is not throttled"
    )

    def get_scopes(self, caller: Any) -> list[str]:
        return sorted(scope.value for scope in caller.scopes)

    @extend_schema_field(LimitOut(many=True))
    def get_limits(self, caller: Any) -> list[dict[str, Any]]:
        found = [(scope, limit_of(str(caller), scope)) for scope in self.get_scopes(caller)]
        return [
            {"scope": scope, "per_second": limit.burst, "per_minute": limit.minute}
            for scope, limit in found
            if limit is not None
        ]

    def get_networks(self, caller: Any) -> list[str]:
        return list(getattr(caller.key, "networks", ()))
