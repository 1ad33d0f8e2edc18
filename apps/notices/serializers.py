"""Webhooks in and out of the API."""

from rest_framework import serializers

from apps.common.serializers import RecordOut, StrictSerializer, TextField
from apps.notices.kinds import TYPES
from apps.notices.records import DeliveryState

KINDS = [(name, name) for name in TYPES]
STATES = [(state.value, state.value) for state in DeliveryState]


class WebhookIn(StrictSerializer):
    """An address that is to be told."""

    url = TextField(max_length=500)
    types = serializers.ListField(child=serializers.ChoiceField(choices=KINDS), min_length=1, max_length=20)


class WebhookOut(RecordOut):
    """An address that is told."""

    ROW = "webhooks/{0.webhook_id}"

    webhook_id = serializers.CharField()
    url = serializers.CharField()
    types = serializers.ListField(child=serializers.CharField())
    made_by = serializers.CharField()
    made_at = serializers.DateTimeField()
    active = serializers.BooleanField()


class NewWebhookOut(WebhookOut):
    """A webhook that was just made, with its secret, which is not shown again."""

    secret = serializers.SerializerMethodField(help_text="signs what is sent; keep it")

    def get_secret(self, _: object) -> str:
        return str(self.context["secret"])


class DeliveryOut(RecordOut):
    """One domain event to one webhook."""

    ROW = "deliveries/{0.webhook_id}/{0.notice_id}"

    notice_id = serializers.CharField()
    type = serializers.CharField()
    document = serializers.DictField()
    state = serializers.ChoiceField(choices=STATES)
    made_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(help_text="of the next attempt, while it is pending")
    attempts = serializers.IntegerField()
    answer = serializers.CharField(help_text="of the last attempt: a status, or the kind of failure")
    delivered_at = serializers.DateTimeField(allow_null=True)
