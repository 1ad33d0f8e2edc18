"""What the console shows of a session."""

from django.db import models

from apps.console.models import DisplayModel


class Session(DisplayModel):
    """A session without its key."""

    session_id = models.CharField("session", max_length=64, primary_key=True)
    timestamp = models.DateTimeField("started at")
    judged_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=16)
    owner = models.CharField("started by", max_length=128)
    link = models.CharField(max_length=64)
    parameters = models.JSONField("request")
    key_length = models.IntegerField("requested key length")
    expected_qber = models.FloatField("expected QBER")
    estimated_qber = models.FloatField("QBER")
    qber_low = models.FloatField()
    qber_high = models.FloatField()
    counts = models.JSONField("compared bits")
    ledger = models.JSONField()
    sifted_key_length = models.IntegerField("sifted bits")
    corrected_key_length = models.IntegerField("corrected bits")
    final_key_length = models.IntegerField("key bits")
    secret = models.BooleanField("from a CSPRNG")
    reason_code = models.CharField(max_length=64, null=True)  # noqa: DJ001 - as in the record
    reason = models.TextField(null=True)  # noqa: DJ001 - as in the record
    duration_ms = models.FloatField()
    ttl = models.IntegerField(null=True)
    keys_total = models.IntegerField("quantum keys")
    keys_taken = models.IntegerField()

    class Meta(DisplayModel.Meta):
        verbose_name = "session"
        permissions = [
            ("generate_session", "Can generate session"),
            ("revoke_session", "Can revoke session"),
        ]
