"""What the console shows of a job."""

from django.db import models

from apps.console.models import DisplayModel


class Job(DisplayModel):
    """Long work and how far it is."""

    job_id = models.CharField("job", max_length=64, primary_key=True)
    kind = models.CharField(max_length=64)
    state = models.CharField(max_length=16)
    owner = models.CharField("requested by", max_length=128)
    total = models.IntegerField()
    done = models.IntegerField()
    created_at = models.DateTimeField("queued at")
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    parameters = models.JSONField("request")
    results = models.JSONField()
    heard_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    per_second = models.FloatField(null=True)
    eta_seconds = models.FloatField(null=True)
    error = models.TextField(null=True)  # noqa: DJ001 - as in the record

    class Meta(DisplayModel.Meta):
        verbose_name = "job"
        permissions = [("cancel_job", "Can cancel and retry job")]
