"""Sessions in and out of the API."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.common.lists import ListQuery
from apps.common.serializers import (
    FlagField,
    PatternField,
    RealField,
    RecordOut,
    StrictSerializer,
    TextField,
    WholeField,
)
from apps.links.services import ID as LINK
from apps.sessions.records import SessionStatus, StockChoice
from apps.sessions.services import ALL, DEFAULT_KEY_LENGTH, DEFAULT_LINK
from qkd.vocabulary import KINDS, MAX_KEY_LENGTH, MIN_KEY_LENGTH

STATUSES = [(status.value, status.value) for status in SessionStatus]
STOCKS = [(choice.value, choice.value) for choice in StockChoice]
ATTACK = rf"(?:{'|'.join(KINDS)})(?::(?:mismatch=|leaked_photons=)?[0-9.]{{1,12}}|:no_blocking)*"
ATTACKS = rf"^{ATTACK}(?:\+{ATTACK})*$"


class StockField(serializers.ChoiceField):
    """Whose sessions give the quantum key."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            choices=STOCKS,
            default=StockChoice.PLATFORM,
            help_text="where the quantum key comes from: the platform's sessions, or the caller's own",
            **kwargs,
        )

    def to_internal_value(self, data: Any) -> Any:
        return StockChoice(super().to_internal_value(data))


BITS = {"type": "integer", "minimum": MIN_KEY_LENGTH, "maximum": MAX_KEY_LENGTH}


@extend_schema_field({"oneOf": [BITS, {"type": "string", "enum": [ALL]}]})
class KeyLengthField(WholeField):
    """A number of bits, or all that the bound leaves."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=MIN_KEY_LENGTH, max_value=MAX_KEY_LENGTH, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return data if data == ALL else super().run_validation(data)


class ChannelField(serializers.JSONField):
    """A preset's name, or the parameters of a channel."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            from qkd.channel import PRESETS  # noqa: PLC0415 - imports numpy, which most requests do without

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
    after_pulse_probability = RealField(min_value=0, max_value=0.5, required=False)
    dead_time_pulses = WholeField(min_value=0, max_value=1_000_000, required=False)
    double_clicks = FlagField(required=False, help_text="of a photon and background: the bit is then random")
    efficiency_mismatch = RealField(
        min_value=0, max_value=0.9, required=False, help_text="of the detectors, for which the key is bounded"
    )
    source_defect = RealField(
        min_value=0,
        max_value=0.1,
        required=False,
        help_text="probability that a pulse is another than was meant, for which the key is bounded",
    )
    intensities = serializers.ListField(
        child=RealField(min_value=0, max_value=2),
        min_length=2,
        max_length=3,
        required=False,
        help_text="mean photon numbers of signal, decoy and weakest pulses, or of signal and decoy; else single photons",
    )
    intensity_probabilities = serializers.ListField(
        child=RealField(min_value=0, max_value=1), min_length=2, max_length=3, required=False
    )


class ChannelSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI schema says of channels."""

    target_class = ChannelField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        from qkd.channel import PRESETS  # noqa: PLC0415 - imports numpy, which most requests do without

        parameters = auto_schema.resolve_serializer(ChannelIn, direction).ref
        return {"oneOf": [{"type": "string", "enum": sorted(PRESETS)}, parameters]}


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
    mismatch = RealField(
        min_value=0,
        max_value=1,
        required=False,
        help_text="of time_shift: between the detectors' efficiencies",
    )
    leaked_photons = RealField(
        min_value=0, max_value=10, required=False, help_text="of trojan_horse: that come back of a pulse"
    )


class GenerateIn(StrictSerializer):
    """A session to run. Without ``error_rate`` and ``channel``, the error rate is 0.02."""

    EXAMPLES: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"key_length": 256},
        {"key_length": ALL, "at_least": 512},
        {"key_length": 64, "eavesdropper": {"kind": "intercept_resend", "fraction": 0.5}},
    )

    key_length = KeyLengthField(
        default=DEFAULT_KEY_LENGTH,
        help_text=f'bits of the final key; each 256 are one quantum key. "{ALL}": every secret bit that the security '
        "bound leaves of the photons",
    )
    at_least = WholeField(
        min_value=MIN_KEY_LENGTH,
        max_value=MAX_KEY_LENGTH,
        required=False,
        help_text=f'with "{ALL}" only: bits for which the photons are planned, {DEFAULT_KEY_LENGTH} unless given; there '
        "will be more of them, and without as many there is no key",
    )
    error_rate = RealField(min_value=0, max_value=0.5, required=False)
    channel = ChannelField(required=False)
    eavesdropper = EavesdropperIn(required=False)
    link = PatternField(LINK, default=DEFAULT_LINK, help_text="one that the caller may use")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "error_rate" in attrs and "channel" in attrs:
            raise serializers.ValidationError({"channel": "Give either error_rate or channel, not both."})
        if "at_least" in attrs and attrs["key_length"] != ALL:
            raise serializers.ValidationError(
                {"at_least": f'Leave it out, or ask for the key_length "{ALL}".'}
            )
        return attrs


class BatchIn(GenerateIn):
    """Sessions to run in the background."""

    EXAMPLES = ({"count": 2, "key_length": 256},)

    count = WholeField(min_value=1, max_value=1000)


class SessionListQuery(ListQuery):
    """Filters of the list of sessions."""

    link = PatternField(LINK, required=False)
    status = serializers.ChoiceField(choices=STATUSES, required=False)

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
    per_second = RealField(help_text="quantum keys taken, as last measured")
    low_water = WholeField(help_text="ready keys below which sessions are run")
    target = WholeField(help_text="ready keys that a refill brings the stock to")
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


class SessionOut(RecordOut):
    """A session's metadata; never its key."""

    ROW = "sessions/{0.session_id}"

    session_id = TextField()
    timestamp = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=STATUSES)
    link = TextField()
    key_length = WholeField(help_text="bits asked for: the fewest, where all that there are were")
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
    keys_total = WholeField(
        help_text="quantum keys that it yields once it is ready, one for each 256 bits of its final key"
    )
    keys_taken = WholeField(help_text="in lists without those of blocks that are not used up")
    duration_ms = RealField()
    judged_at = serializers.DateTimeField(allow_null=True)
    ttl = WholeField(allow_null=True)
    ledger = serializers.DictField()
