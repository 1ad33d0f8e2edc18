"""Detections out of the API."""

from typing import Any

from rest_framework import serializers

from apps.common.lists import ListQuery
from apps.detections.records import WORTH_A_LOOK


class DetectionListQuery(ListQuery):
    """Filters of the list of detections."""

    verdict = serializers.ChoiceField(choices=[verdict.value for verdict in WORTH_A_LOOK], required=False)


class DetectionOut(serializers.Serializer[Any]):
    """A verdict on a session (B5)."""

    session_id = serializers.CharField()
    detection_timestamp = serializers.IntegerField(help_text="microseconds since the epoch")
    detected_at = serializers.DateTimeField()
    link = serializers.CharField()
    outcome = serializers.CharField()
    qber_calculated = serializers.FloatField()
    threshold = serializers.FloatField()
    chi_square_value = serializers.FloatField()
    p_values = serializers.DictField(child=serializers.FloatField())
    is_compromised = serializers.BooleanField()
    is_anomalous = serializers.BooleanField()
    confidence_level = serializers.FloatField()
    reasons = serializers.ListField(child=serializers.DictField())
