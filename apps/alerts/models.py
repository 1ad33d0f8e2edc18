"""What the console shows of an alert."""

from django.db import models

from apps.console.models import DisplayModel


class Alert(DisplayModel):
    """A condition that somebody has to know of."""

    alert_id = models.CharField("alert", max_length=64, primary_key=True)
    condition = models.CharField(max_length=64)
    about = models.CharField(max_length=255)
    urgency = models.CharField("severity", max_length=16)
    text = models.CharField(max_length=255)
    status = models.CharField(max_length=16)
    raised_at = models.DateTimeField("raised")
    times = models.IntegerField("times noticed")
    last_at = models.DateTimeField("last noticed", null=True)
    sent_at = models.DateTimeField("sent", null=True)
    escalated_at = models.DateTimeField("escalated", null=True)
    acknowledged_by = models.CharField("acknowledged by", max_length=128)
    acknowledged_at = models.DateTimeField("acknowledged", null=True)
    detail = models.JSONField()

    class Meta(DisplayModel.Meta):
        verbose_name = "alert"
        permissions = [("manage_alert", "Can acknowledge and end alerts")]
