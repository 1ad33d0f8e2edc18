"""Cases in and out of the API."""

from typing import Any

from rest_framework import serializers

from apps.cases.records import CaseStatus, Severity
from apps.common.lists import ListQuery
from apps.common.serializers import RecordOut, StrictSerializer, TextField
from apps.links.serializers import REASON_LIMIT

STATUSES = [(status.value, status.value) for status in CaseStatus]
SEVERITIES = [(severity.value, severity.value) for severity in Severity]
TEXT_LIMIT = 2000


class CaseListQuery(ListQuery):
    """Filters of the list of cases; it takes one at a time."""

    status = serializers.ChoiceField(choices=STATUSES, required=False)
    link = serializers.CharField(required=False, max_length=64)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "status" in attrs and "link" in attrs:
            raise serializers.ValidationError({"link": "Use one filter at a time: status or link."})
        return attrs


class ResolutionIn(StrictSerializer):
    """How a case ended; kept with it and in the audit trail."""

    reason = TextField(max_length=TEXT_LIMIT)


class HoldingIn(StrictSerializer):
    """Why a case takes its link out of use or gives it back; kept in the link's history and in the audit trail."""

    reason = TextField(max_length=REASON_LIMIT)


class NoteIn(StrictSerializer):
    """What is written about a case; never key material."""

    text = TextField(max_length=TEXT_LIMIT)


class CaseOut(RecordOut):
    """A finding, and what people did about it."""

    ROW = "cases/{0.case_id}"

    case_id = serializers.CharField()
    session_id = serializers.CharField()
    link = serializers.CharField()
    owner = serializers.CharField(help_text="of the session")
    verdict = serializers.CharField()
    severity = serializers.ChoiceField(choices=SEVERITIES)
    study = serializers.BooleanField(help_text="whether the eavesdropper was asked for")
    reasons = serializers.ListField(child=serializers.CharField())
    status = serializers.ChoiceField(choices=STATUSES)
    opened_at = serializers.DateTimeField()
    window_from = serializers.DateTimeField(help_text="keys of the link's sessions since then are suspect")
    acknowledged_by = serializers.CharField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    resolution = serializers.CharField(allow_null=True)


class NoteOut(RecordOut):
    """What somebody wrote about a case."""

    ROW = "case-notes/{0.case_id}/{0.note_id}"

    note_id = serializers.CharField()
    noted_at = serializers.DateTimeField()
    author = serializers.CharField()
    text = serializers.CharField()


class AffectedKeyOut(serializers.Serializer[Any]):
    """A quantum key under suspicion that was used, and for what."""

    key_id = serializers.CharField()
    session_id = serializers.CharField()
    purpose = serializers.CharField(help_text="`file` or `message`; the platform re-encrypts files only")
    subject = serializers.CharField(help_text="the id of the file or message")
    taken_by = serializers.CharField()
    taken_at = serializers.DateTimeField()
