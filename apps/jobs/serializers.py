"""Jobs out of the API."""

from typing import Any

from rest_framework import serializers


class JobOut(serializers.Serializer[Any]):
    """A job and how far it is."""

    job_id = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    parameters = serializers.DictField()
    results = serializers.DictField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    cancel_requested = serializers.BooleanField()
    per_second = serializers.FloatField(allow_null=True)
    eta_seconds = serializers.FloatField(allow_null=True)
