"""What the API takes and gives for the audit trail."""

from typing import Any

from rest_framework import serializers

from apps.audit.records import Outcome
from apps.audit.verification import is_authentic
from apps.audit.verifying import Depth
from apps.common.lists import ListQuery
from apps.common.serializers import StrictSerializer


class EntryListQuery(ListQuery):
    """The query of the audit list; it takes one subject at a time, in a span of time."""

    actor = serializers.CharField(required=False, max_length=200)
    key = serializers.CharField(required=False, max_length=200)
    session = serializers.CharField(required=False, max_length=200)
    file = serializers.CharField(required=False, max_length=200)
    approval = serializers.CharField(required=False, max_length=200)
    since = serializers.DateTimeField(required=False, help_text="entries from this time on")
    until = serializers.DateTimeField(required=False, help_text="entries before this time")
    event = serializers.CharField(
        required=False,
        max_length=100,
        help_text="has no index: a page reads 1,000 entries at most, and may be empty though `next` leads on",
    )
    outcome = serializers.ChoiceField(
        choices=[(one.value, one.value) for one in Outcome], required=False, help_text="likewise"
    )

    request_id = serializers.CharField(
        required=False,
        max_length=64,
        help_text="an answer's X-Request-Id: what its request did, and all that followed from it; likewise",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("actor", "key", "session", "file", "approval") if name in attrs]
        if len(given) > 1:
            raise serializers.ValidationError(
                {given[1]: "use one filter at a time: actor, key, session, file or approval"}
            )
        if "since" in attrs and "until" in attrs and attrs["since"] >= attrs["until"]:
            raise serializers.ValidationError({"until": "has to be later than since"})
        return attrs


class VerificationIn(StrictSerializer):
    """How far a verification goes."""

    depth = serializers.ChoiceField(
        choices=list(Depth),
        default=Depth.ENTRIES,
        help_text="`since_checkpoint` trusts what the newest checkpoint covers, `entries` reads all,"
        " `records` holds every record against them, too",
    )


class EntryOut(serializers.Serializer[Any]):
    """One entry of the trail."""

    chain = serializers.CharField()
    sequence = serializers.IntegerField()
    timestamp = serializers.DateTimeField()
    event = serializers.CharField()
    outcome = serializers.CharField()
    actor = serializers.CharField()
    source_ip = serializers.CharField()
    via = serializers.CharField(allow_null=True, help_text="the API key that was shown")
    key_id = serializers.CharField(allow_null=True)
    session_id = serializers.CharField(allow_null=True)
    file_id = serializers.CharField(allow_null=True)
    detail = serializers.DictField()
    hash = serializers.CharField()
    previous_hash = serializers.CharField()
    format = serializers.IntegerField(help_text="of the hash")
    authentic = serializers.SerializerMethodField(help_text="whether the platform wrote it so")

    def get_authentic(self, entry: Any) -> bool:
        return bool(is_authentic(entry))


class HeldOut(serializers.Serializer[Any]):
    """Where older entries are than the list shows."""

    entries = serializers.IntegerField()
    until = serializers.DateTimeField(help_text="the time of the newest of them")
    bucket = serializers.CharField()
    prefix = serializers.CharField(
        help_text="of their objects: JSON lines, by chain and blocks of 1,000 entries"
    )


class EntryPageOut(serializers.Serializer[Any]):
    """A page of the trail."""

    items = EntryOut(many=True)
    next = serializers.CharField(allow_null=True)
    archived = HeldOut(
        allow_null=True,
        help_text="with the last page: entries that were moved to the archive and are in no list",
    )
