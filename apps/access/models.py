"""What the console shows of an API client."""

from django.db import models

from apps.console.models import DisplayModel


class ApiClient(DisplayModel):
    """A program that may call the API; its key is not shown."""

    client_id = models.CharField("client", max_length=64, primary_key=True)
    name = models.CharField(max_length=255)
    role = models.CharField(max_length=32)
    status = models.CharField(max_length=16)
    scopes = models.JSONField("permissions")
    created_at = models.DateTimeField("issued at")
    created_by = models.CharField("issued by", max_length=128)

    class Meta(DisplayModel.Meta):
        verbose_name = "API client"
        permissions = [("revoke_apiclient", "Can revoke API client")]
