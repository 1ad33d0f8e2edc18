"""What the console shows of a pool key."""

from django.db import models

from apps.console.models import DisplayModel


class PoolKey(DisplayModel):
    """A pool key without its halves: of the public one the fingerprint, of the private one nothing."""

    key_id = models.CharField("pool key", max_length=64, primary_key=True)
    suite = models.CharField(max_length=64)
    state = models.CharField(max_length=32)
    fingerprint = models.CharField("public key SHA-256", max_length=64)
    root_key_id = models.CharField("wrapped by", max_length=255)
    created_at = models.DateTimeField("created at")
    usage = models.IntegerField("uses")
    last_used_at = models.DateTimeField("last used at", null=True)
    changed_at = models.DateTimeField("state changed at", null=True)
    reason = models.CharField("reason", max_length=255, null=True)  # noqa: DJ001 - as in the record

    class Meta(DisplayModel.Meta):
        verbose_name = "pool key"
        permissions = [("rotate_poolkey", "Can rotate pool key"), ("revoke_poolkey", "Can revoke pool key")]
