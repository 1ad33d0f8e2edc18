"""What the console shows of a case."""

from django.db import models

from apps.console.models import DisplayModel


class Case(DisplayModel):
    """A finding, and what people did about it."""

    case_id = models.CharField("case", max_length=80, primary_key=True)
    session_id = models.CharField("session", max_length=64)
    link = models.CharField(max_length=64)
    owner = models.CharField("session started by", max_length=128)
    verdict = models.CharField(max_length=16)
    severity = models.CharField(max_length=16)
    study = models.BooleanField()
    reasons = models.JSONField()
    status = models.CharField(max_length=16)
    opened_at = models.DateTimeField("opened")
    window_from = models.DateTimeField("window from")
    window_until = models.DateTimeField("window until")
    acknowledged_by = models.CharField("acknowledged by", max_length=128)
    acknowledged_at = models.DateTimeField("acknowledged", null=True)
    closed_by = models.CharField("closed by", max_length=128)
    closed_at = models.DateTimeField("closed", null=True)
    resolution = models.CharField(max_length=2000)

    class Meta(DisplayModel.Meta):
        verbose_name = "case"
        permissions = [("manage_case", "Can acknowledge, note and close cases")]
