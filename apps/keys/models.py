"""What the console shows of pool keys and of pools."""

from django.db import models

from apps.console.models import DisplayModel


class PoolKey(DisplayModel):
    """A pool key without its halves: of the public one the fingerprint, of the private one nothing."""

    key_id = models.CharField("pool key", max_length=64, primary_key=True)
    pool = models.CharField("pool", max_length=64)
    suite = models.CharField(max_length=64)
    state = models.CharField(max_length=32)
    version = models.IntegerField("version")
    imported = models.BooleanField("imported")
    fingerprint = models.CharField("public key SHA-256", max_length=64)
    root_key_id = models.CharField("wrapped by", max_length=255)
    created_at = models.DateTimeField("created at")
    usage = models.IntegerField("uses")
    messages = models.IntegerField("messages")
    last_used_at = models.DateTimeField("last used at", null=True)
    changed_at = models.DateTimeField("state changed at", null=True)
    destroy_after = models.DateTimeField("destroyed after", null=True)
    reason = models.CharField("reason", max_length=255, null=True)  # noqa: DJ001 - as in the record

    class Meta(DisplayModel.Meta):
        verbose_name = "pool key"
        permissions = [
            ("rotate_poolkey", "Can rotate pool key"),
            ("revoke_poolkey", "Can revoke pool key"),
            ("suspend_poolkey", "Can suspend and resume pool key"),
            ("destroy_poolkey", "Can ask for the destruction of pool key, and cancel it"),
            ("import_poolkey", "Can import pool key, and ask for its activation"),
            ("export_poolkey", "Can ask for the export of pool key"),
        ]


class Pool(DisplayModel):
    """A named pool of keys: what it is for, and how it is kept."""

    name = models.CharField(max_length=64, primary_key=True)
    about = models.CharField(max_length=255)
    purposes = models.JSONField()
    suite = models.CharField(max_length=64)
    target = models.IntegerField()
    low_water = models.IntegerField()
    rotation_days = models.IntegerField()
    max_uses = models.IntegerField()
    current = models.IntegerField()
    minimum = models.IntegerField()
    users = models.JSONField()
    managers = models.JSONField()
    serves = models.JSONField()
    accepts_imports = models.BooleanField()
    labels = models.JSONField()
    aliases = models.JSONField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=128)
    changed_at = models.DateTimeField(null=True)

    class Meta(DisplayModel.Meta):
        verbose_name = "key pool"
        permissions = [("manage_pool", "Can make and change key pools")]
