"""What the console shows of an audit entry."""

from django.db import models

from apps.console.models import DisplayModel


class Entry(DisplayModel):
    """One link of a chain; its id is ``<chain>-<sequence>``."""

    entry_id = models.CharField("entry", max_length=32, primary_key=True)
    chain = models.CharField(max_length=8)
    sequence = models.IntegerField()
    timestamp = models.DateTimeField()
    event = models.CharField(max_length=64)
    outcome = models.CharField(max_length=16)
    actor = models.CharField("actor", max_length=128)
    source_ip = models.CharField("source address", max_length=64, null=True)  # noqa: DJ001 - as in the record
    via = models.CharField("API key", max_length=64, null=True)  # noqa: DJ001 - as in the record
    key_id = models.CharField("pool key", max_length=64, null=True)  # noqa: DJ001 - as in the record
    session_id = models.CharField("session", max_length=64, null=True)  # noqa: DJ001 - as in the record
    file_id = models.CharField("file", max_length=64, null=True)  # noqa: DJ001 - as in the record
    detail = models.JSONField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta(DisplayModel.Meta):
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        permissions = [("verify_audit", "Can verify the audit chains")]
