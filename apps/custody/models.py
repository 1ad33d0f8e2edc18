"""What the console shows of rotations, approvals and root keys."""

from django.db import models

from apps.console.models import DisplayModel


class Rotation(DisplayModel):
    """The replacement of one pool key by another."""

    rotation_id = models.CharField("rotation", max_length=128, primary_key=True)
    old_key_id = models.CharField("old key", max_length=64)
    new_key_id = models.CharField("new key", max_length=64, null=True)  # noqa: DJ001 - as in the record
    status = models.CharField(max_length=16)
    reason = models.CharField(max_length=255)
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=128)
    changed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    job_id = models.CharField("job", max_length=64, null=True)  # noqa: DJ001 - as in the record

    class Meta(DisplayModel.Meta):
        verbose_name = "rotation"
        permissions = [
            ("resume_rotation", "Can resume rotation"),
            ("reencrypt_rotation", "Can have files re-encrypted"),
        ]


class Approval(DisplayModel):
    """What one person asked for and another allows."""

    approval_id = models.CharField("approval", max_length=64, primary_key=True)
    action = models.CharField(max_length=32)
    subject = models.CharField(max_length=128)
    status = models.CharField(max_length=16)
    reason = models.CharField(max_length=255)
    requested_by = models.CharField(max_length=128)
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    parameters = models.JSONField()
    decided_by = models.CharField(max_length=128, null=True)  # noqa: DJ001 - as in the record
    decided_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    class Meta(DisplayModel.Meta):
        verbose_name = "approval"
        permissions = [
            ("decide_approval", "Can approve and refuse approval"),
            ("use_approval", "Can carry out and withdraw approval"),
        ]


class RootKey(DisplayModel):
    """A root key, and how much is wrapped under it."""

    root_key_id = models.CharField("root key", max_length=255, primary_key=True)
    current = models.BooleanField()
    pool_keys = models.IntegerField()
    sessions = models.IntegerField()

    class Meta(DisplayModel.Meta):
        verbose_name = "root key"
        permissions = [
            ("replace_rootkey", "Can rotate and retire root key, and ask for the recovery key's use")
        ]
