"""What the console shows of a link."""

from django.db import models

from apps.console.models import DisplayModel


class Link(DisplayModel):
    """A link between two sites: its state, what it is set to, and who may use it."""

    link_id = models.CharField("link", max_length=64, primary_key=True)
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=16)
    reason = models.CharField(max_length=255, null=True)  # noqa: DJ001 - as in the record
    case_id = models.CharField("case", max_length=80, null=True)  # noqa: DJ001 - as in the record
    site_a = models.CharField(max_length=255, null=True)  # noqa: DJ001 - as in the record
    site_b = models.CharField(max_length=255, null=True)  # noqa: DJ001 - as in the record
    source = models.CharField(max_length=32)
    parameters = models.JSONField(null=True)
    qber_threshold = models.FloatField(null=True)
    low_water = models.IntegerField(null=True)
    target = models.IntegerField(null=True)
    schedule = models.JSONField(null=True)
    owner = models.CharField(max_length=128)
    users = models.JSONField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=128)
    changed_at = models.DateTimeField(null=True)

    class Meta(DisplayModel.Meta):
        verbose_name = "link"
        permissions = [("manage_link", "Can make, change, pause, resume and retire link")]
