"""Sessions in and out of the API."""

from typing import Any

from rest_framework import serializers

from apps.common.lists import ListQuery
from apps.common.serializers import (
    FlagField,
    PatternField,
    RealField,
    StrictSerializer,
    TextField,
    WholeField,
)
from apps.links.services import ID as LINK
from apps.sessions.records import SessionStatus, StockChoice
from apps.sessions.services import DEFAULT_LINK
from qkd.attacks import KINDS
from qkd.channel import PRESETS
from qkd.records import MAX_KEY_LENGTH, MIN_KEY_LENGTH

ATTACK = rf"(?:{'|'.join(KINDS)})(?::[0-9.]{{1,12}}|:no_blocking)*"
ATTACKS = rf"^{ATTACK}(?:\+{ATTACK})*$"


class StockField(serializers.ChoiceField):
    """Whose sessions give the quantum key."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            choices=[(choice.value, choice.value) for choice in StockChoice],
            default=StockChoice.PLATFORM,
            help_text="where the quantum key comes from: the platform's sessions, or the caller's own",
            **kwargs,
        )

    def to_internal_value(self, data: Any) -> Any:
        return StockChoice(super().to_internal_value(data))


class ChannelField(serializers.JSONField):
    """A preset's name, or the parameters of a channel."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            if data not in PRESETS:
                raise serializers.ValidationError(
                    f"There is no preset of this name. Choose one of {', '.join(sorted(PRESETS))}."
                )
            return data
        checked = ChannelIn(data=data)
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)


class ChannelIn(StrictSerializer):
    """Fibre and receiver. A field left out has its ideal value."""

    distance_km = RealField(min_value=0, max_value=10_000, required=False)
    attenuation_db_per_km = RealField(min_value=0, max_value=100, required=False)
    receiver_efficiency = RealField(min_value=0, max_value=1, required=False)
    detector_efficiency = RealField(min_value=0, max_value=1, required=False)
    dark_count_probability = RealField(min_value=0, max_value=0.5, required=False)
    misalignment = RealField(min_value=0, max_value=0.5, required=False)
    rectilinear_probability = RealField(min_value=0.01, max_value=0.99, required=False)


class EavesdropperIn(StrictSerializer):
    """The eavesdropper on the quantum channel. The session is a study then: its key is not kept and encrypts nothing."""

    kind = PatternField(
        ATTACKS,
        default="none",
        max_length=256,
        help_text=f"one of {', '.join(KINDS)}; or several with their fractions: intercept_resend:0.1+beam_splitting",
        error_messages={
            "invalid": f"one of {', '.join(KINDS)}, or several as in intercept_resend:0.1+beam_splitting"
        },
    )
    fraction = RealField(min_value=0, max_value=1, required=False)
    blocking = FlagField(required=False, help_text="of photon_number_splitting: single photons are blocked")


class GenerateIn(StrictSerializer):
    """A session to run. Without ``error_rate`` and ``channel``, the error rate is 0.02."""

    key_length = WholeField(min_value=MIN_KEY_LENGTH, max_value=MAX_KEY_LENGTH, default=128)
    error_rate = RealField(min_value=0, max_value=0.5, required=False)
    channel = ChannelField(required=False)
    eavesdropper = EavesdropperIn(required=False)
    link = PatternField(LINK, default=DEFAULT_LINK, help_text="one that the caller may use")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "error_rate" in attrs and "channel" in attrs:
            raise serializers.ValidationError({"channel": "Give either error_rate or channel, not both."})
        return attrs


class BatchIn(GenerateIn):
    """Sessions to run in the background."""

    count = WholeField(min_value=1, max_value=1000)


class SessionListQuery(ListQuery):
    """Filters of the list of sessions."""

    link = PatternField(LINK, required=False)
    status = serializers.ChoiceField(choices=[(s.value, s.value) for s in SessionStatus], required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "link" in attrs and "status" in attrs:
            raise serializers.ValidationError({"status": "Use one filter at a time: link or status."})
        return attrs


class RevocationIn(StrictSerializer):
    """Why a session's keys are taken out of use."""

    reason = TextField(max_length=255)


class StockOut(serializers.Serializer[Any]):
    """Quantum keys ready to be taken."""

    total = WholeField()
    pending = WholeField(help_text="of sessions that are not judged yet")
    by_link = serializers.DictField(child=WholeField())
    low_water = WholeField()
    target = WholeField()
    own = WholeField(help_text="ready in the caller's own sessions, which serve the caller alone")
    is_low = serializers.BooleanField()


class TakenKeyOut(serializers.Serializer[Any]):
    """Who took a quantum key for what; never the key."""

    key_id = TextField()
    state = TextField()
    purpose = TextField()
    subject = TextField()
    taken_by = TextField()
    taken_at = serializers.DateTimeField()


class SessionOut(serializers.Serializer[Any]):
    """A session's metadata; never its key."""

    session_id = TextField()
    timestamp = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=[(s.value, s.value) for s in SessionStatus])
    link = TextField()
    key_length = WholeField()
    parameters = serializers.DictField()
    estimated_qber = RealField()
    qber_low = RealField()
    qber_high = RealField()
    sifted_key_length = WholeField()
    corrected_key_length = WholeField()
    final_key_length = WholeField()
    secret = serializers.BooleanField(help_text="false for a study, whose key is not kept")
    reason_code = TextField(allow_null=True)
    reason = TextField(allow_null=True)
    keys_total = WholeField()
    keys_taken = WholeField()
    duration_ms = RealField()
    judged_at = serializers.DateTimeField(allow_null=True)
    ttl = WholeField(allow_null=True)
    ledger = serializers.DictField()
