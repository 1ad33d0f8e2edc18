"""What the console shows of a report."""

from django.db import models

from apps.console.models import DisplayModel


class Report(DisplayModel):
    """What was done in a period, kept as files with their digests."""

    report_id = models.CharField("report", max_length=64, primary_key=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=128)
    entries = models.IntegerField()
    files = models.JSONField()

    class Meta(DisplayModel.Meta):
        verbose_name = "report"
        permissions = [("make_report", "Can have report made")]
