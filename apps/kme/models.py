"""What the console shows of an application that keys are delivered to."""

from django.db import models

from apps.console.models import DisplayModel


class Sae(DisplayModel):
    """An application of ETSI GS QKD 014: its certificates, and what it may ask for."""

    sae_id = models.CharField("application", max_length=64, primary_key=True)
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=16)
    reason = models.CharField(max_length=255, null=True)  # noqa: DJ001 - as in the record
    principal_id = models.CharField("acts as", max_length=128)
    fingerprints = models.JSONField()
    subject = models.CharField(max_length=1024, null=True)  # noqa: DJ001 - as in the record
    revoked = models.JSONField("refused certificates")
    peers = models.JSONField()
    keys_a_day = models.IntegerField(null=True)
    link = models.CharField(max_length=64, null=True)  # noqa: DJ001 - as in the record
    site = models.CharField(max_length=64, null=True)  # noqa: DJ001 - as in the record
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=128)
    changed_at = models.DateTimeField(null=True)

    class Meta(DisplayModel.Meta):
        verbose_name = "application"
        permissions = [("manage_sae", "Can register, change and revoke application")]
