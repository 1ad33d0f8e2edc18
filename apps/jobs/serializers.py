"""Jobs out of the API."""

from typing import Any

from rest_framework import serializers

from apps.common.serializers import RecordOut


class JobOut(RecordOut):
    """A job and how far it is."""

    ROW = "jobs/{0.job_id}"

    job_id = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField(help_text="0 while a job that counts its own work has not counted it.")
    parameters = serializers.DictField()
    results = serializers.DictField(
        help_text="One job alone also names the first 100 of what it made; all of them are in its results' pages."
    )
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    cancel_requested = serializers.BooleanField()
    per_second = serializers.FloatField(allow_null=True)
    eta_seconds = serializers.FloatField(allow_null=True)
    request_id = serializers.CharField(
        allow_null=True, help_text="The X-Request-Id of the request that it does work for."
    )


class ResultOut(serializers.Serializer[Any]):
    """What one step of a job made."""

    number = serializers.IntegerField(help_text="Of the step, from 0.")
    id = serializers.CharField(source="subject", help_text="Of what was made: for a batch, the session's.")
    made_at = serializers.DateTimeField()
