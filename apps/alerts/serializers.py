"""Alerts out of the API."""

from rest_framework import serializers

from apps.alerts.records import AlertStatus, Urgency
from apps.common.lists import ListQuery
from apps.common.serializers import RecordOut

STATUSES = [(status.value, status.value) for status in AlertStatus]
URGENCIES = [(urgency.value, urgency.value) for urgency in Urgency]


class AlertListQuery(ListQuery):
    """Filters of the list of alerts."""

    status = serializers.ChoiceField(choices=STATUSES, required=False)


class AlertOut(RecordOut):
    """A condition that somebody has to know of."""

    ROW = "alerts/{0.alert_id}"

    alert_id = serializers.CharField()
    condition = serializers.CharField()
    about = serializers.CharField()
    severity = serializers.ChoiceField(choices=URGENCIES, source="urgency")
    text = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    raised_at = serializers.DateTimeField()
    times = serializers.IntegerField(help_text="that it was noticed, counted once a minute")
    last_at = serializers.DateTimeField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True)
    escalated_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    detail = serializers.DictField()
