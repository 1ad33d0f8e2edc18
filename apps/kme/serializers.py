"""Applications that keys are delivered to, in and out of the API."""

from rest_framework import serializers

from apps.common.serializers import PatternField, RecordOut, StrictSerializer, TextField, WholeField
from apps.kme.records import SaeState
from apps.kme.saes import FINGERPRINT, ID, MOST, MOST_KEYS_A_DAY
from apps.links.services import ID as LINK

STATES = [(state.value, state.value) for state in SaeState]
PEER = rf"(?:{ID}|^\*$)"
SERVICE = r"^service:[A-Za-z0-9-]{1,64}$"


class _Chosen(StrictSerializer):
    """What may be said of an application and changed later."""

    fingerprints = serializers.ListField(
        child=PatternField(FINGERPRINT),
        required=False,
        max_length=MOST,
        help_text="SHA-256 of the certificates that are its own, in hexadecimal; or give a subject",
    )
    subject = TextField(
        max_length=1024,
        required=False,
        allow_null=True,
        help_text="of its certificates, as RFC 4514 writes it: every one of the authority with this subject is its own",
    )
    revoked = serializers.ListField(
        child=PatternField(FINGERPRINT),
        required=False,
        max_length=MOST,
        help_text="certificates that are not accepted any more, from the next request on",
    )
    peers = serializers.ListField(
        child=PatternField(PEER),
        required=False,
        max_length=MOST,
        help_text="applications that it may ask keys for; * for all",
    )
    keys_a_day = WholeField(
        min_value=0, max_value=MOST_KEYS_A_DAY, required=False, allow_null=True, help_text="null: any number"
    )
    link = PatternField(
        LINK, required=False, allow_null=True, help_text="over whose sessions its keys come; null: any"
    )
    site = PatternField(
        LINK,
        required=False,
        allow_null=True,
        help_text="the link to the other site, where it collects its keys; null: here",
    )


class SaeIn(_Chosen):
    """An application."""

    EXAMPLES = (
        {"sae_id": "sae-alice", "name": "Encryptor", "subject": "CN=sae-alice", "peers": ["sae-bob"]},
        {"sae_id": "sae-bob", "name": "Encryptor", "fingerprints": ["0" * 64]},
    )

    sae_id = PatternField(ID, help_text="the common name of its certificates")
    name = TextField(max_length=255)
    principal = PatternField(
        SERVICE, required=False, help_text="the service that it is; one is made unless told"
    )


class SaePatchIn(_Chosen):
    """What changes of an application; what is left out stays."""

    name = TextField(max_length=255, required=False)
    reason = TextField(max_length=255)


class SaeRevocationIn(StrictSerializer):
    """Why nothing is delivered to it any more."""

    reason = TextField(max_length=255)


class SaeOut(RecordOut):
    """An application that keys are delivered to."""

    ROW = "saes/{0.sae_id}"

    sae_id = TextField()
    principal = TextField(source="principal_id")
    name = TextField()
    state = serializers.ChoiceField(choices=STATES)
    fingerprints = serializers.ListField(child=TextField())
    subject = TextField(allow_null=True)
    revoked = serializers.ListField(child=TextField())
    peers = serializers.ListField(child=TextField())
    keys_a_day = WholeField(allow_null=True)
    link = TextField(allow_null=True)
    site = TextField(allow_null=True)
    reason = TextField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_by = TextField()
    changed_at = serializers.DateTimeField(allow_null=True)
