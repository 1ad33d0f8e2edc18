"""Detections out of the API."""

from typing import Any

from rest_framework import serializers

from apps.common.lists import ListQuery
from apps.common.serializers import RecordOut
from apps.detections.records import WORTH_A_LOOK


class DetectionListQuery(ListQuery):
    """Filters of the list of detections."""

    verdict = serializers.ChoiceField(choices=[verdict.value for verdict in WORTH_A_LOOK], required=False)


class TestOut(serializers.Serializer[Any]):
    """One test of a verdict, with its exact p-value."""

    name = serializers.CharField()
    statistic = serializers.FloatField(help_text="what was observed")
    expected = serializers.FloatField(help_text="what an honest link makes of it")
    p = serializers.FloatField(
        help_text="chance that an honest link shows this or more; 1e-300 means less than that"
    )
    convicts = serializers.BooleanField(
        help_text="part of the stated false-alarm level; others draw attention"
    )
    detail = serializers.CharField()


class DetectionOut(RecordOut):
    """A verdict on a session (B5)."""

    ROW = "detections/{0.session_id}/{0.detection_timestamp}"

    session_id = serializers.CharField()
    detection_timestamp = serializers.IntegerField(help_text="microseconds since the epoch")
    detected_at = serializers.DateTimeField()
    link = serializers.CharField()
    outcome = serializers.CharField()
    qber_calculated = serializers.FloatField()
    threshold = serializers.FloatField()
    chi_square_value = serializers.FloatField()
    p_values = serializers.DictField(child=serializers.FloatField())
    tests = TestOut(many=True)
    is_compromised = serializers.BooleanField()
    is_anomalous = serializers.BooleanField()
    confidence_level = serializers.FloatField(help_text="how surely an honest link is ruled out, 0 to 1")
    reasons = serializers.ListField(child=serializers.DictField())
