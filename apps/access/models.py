"""Users of the console, and what it shows of API keys."""

from django.db import models

from apps.access.users import User
from apps.console.models import DisplayModel

__all__ = ["ApiKey", "User"]  # Django finds an app's models here


class ApiKey(DisplayModel):
    """A credential of a person or service; of its secret nothing."""

    key_id = models.CharField("key", max_length=64, primary_key=True)
    principal_id = models.CharField("of", max_length=128)
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=16)
    scopes = models.JSONField("limited to", null=True)
    networks = models.JSONField("from")
    created_at = models.DateTimeField("created")
    created_by = models.CharField("created by", max_length=128)
    expires_at = models.DateTimeField("ends", null=True)
    last_used_at = models.DateTimeField("last used", null=True)
    reason = models.CharField(max_length=255)

    class Meta(DisplayModel.Meta):
        verbose_name = "API key"
        permissions = [
            ("revoke_apikey", "Can revoke API key"),
            ("issue_apikey", "Can issue and rotate API key"),
        ]
