"""What the console shows of a verdict."""

from django.db import models

from apps.console.models import DisplayModel


class Detection(DisplayModel):
    """The detector's verdict on a session; its id is the session's."""

    session_id = models.CharField("session", max_length=64, primary_key=True)
    detected_at = models.DateTimeField("judged at")
    owner = models.CharField("started by", max_length=128)
    link = models.CharField(max_length=64)
    outcome = models.CharField("outcome", max_length=16)
    qber_calculated = models.FloatField("QBER")
    threshold = models.FloatField()
    chi_square_value = models.FloatField("χ²")
    is_compromised = models.BooleanField()
    is_anomalous = models.BooleanField()
    confidence_level = models.FloatField("confidence")
    p_values = models.JSONField("p-values")
    tests = models.JSONField("tests")
    reasons = models.JSONField()

    class Meta(DisplayModel.Meta):
        verbose_name = "detection"
