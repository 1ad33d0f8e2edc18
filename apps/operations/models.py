"""What the console shows of dead letters and schedules."""

from django.db import models

from apps.console.models import DisplayModel


class Letter(DisplayModel):
    """A dead letter, without its content."""

    message_id = models.CharField("dead letter", max_length=128, primary_key=True)
    kind = models.CharField(max_length=16)
    sent_at = models.DateTimeField()
    received = models.IntegerField()
    size = models.IntegerField()
    digest = models.CharField(max_length=64)
    facts = models.JSONField()

    class Meta(DisplayModel.Meta):
        verbose_name = "dead letter"
        permissions = [("manage_letter", "Can try dead letter again and drop it")]


class Schedule(DisplayModel):
    """A schedule, and how its parts did."""

    name = models.CharField("schedule", max_length=16, primary_key=True)
    meaning = models.CharField(max_length=255)
    parts = models.IntegerField()
    failed = models.IntegerField()
    starved = models.IntegerField()
    started_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)

    class Meta(DisplayModel.Meta):
        verbose_name = "schedule"
        permissions = [("manage_schedule", "Can run schedule now")]
