"""Reports in and out of the API."""

from typing import Any

from rest_framework import serializers

from apps.common.serializers import RecordOut, StrictSerializer


class ReportIn(StrictSerializer):
    """The period of a report: whole days in UTC that are over."""

    since = serializers.DateTimeField(help_text="midnight of the first day")
    until = serializers.DateTimeField(help_text="midnight after the last day")


class ReportOut(RecordOut):
    """A report that was made."""

    ROW = "reports/{0.report_id}"

    report_id = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField()
    entries = serializers.IntegerField()
    files = serializers.DictField(
        help_text="each file's key, SHA-256 and size, by its name; of more than 200, the file `files.json` has them all"
    )


class FileAddressOut(serializers.Serializer[Any]):
    """Where a file of a report can be read for five minutes."""

    url = serializers.CharField()
