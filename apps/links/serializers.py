"""Links in and out of the API."""

from typing import Any

from rest_framework import serializers

from apps.common.serializers import (
    PatternField,
    RealField,
    RecordOut,
    StrictSerializer,
    TextField,
    WholeField,
)
from apps.links.records import LinkSource, LinkState
from apps.links.services import ID, MOST_KEYS
from apps.links.sources import FEWEST_BITS, MOST_BITS, ROLES
from apps.links.times import MOST, WINDOW
from apps.sessions.serializers import ChannelField

SOURCES = [(source.value, source.value) for source in LinkSource]
STATES = [(state.value, state.value) for state in LinkState]
PRINCIPAL = r"^(?:(?:user|service|group):[A-Za-z0-9-]{1,64}|\*)$"
OWNER = r"^(?:user|service|group):[A-Za-z0-9-]{1,64}$"
REASON_LIMIT = 255


class LinkParametersIn(StrictSerializer):
    """Of the simulator `channel` or `error_rate`; of an external KME the next three; of another site `role`, too."""

    channel = ChannelField(required=False)
    error_rate = RealField(min_value=0, max_value=0.5, required=False)
    base_url = TextField(max_length=255, required=False, help_text="of the KME: https://host:port")
    peer = TextField(max_length=64, required=False, help_text="the application that its keys are shared with")
    client = TextField(max_length=64, required=False, help_text="which of KME_CLIENTS the platform comes as")
    role = serializers.ChoiceField(
        choices=[(one, one) for one in ROLES],
        required=False,
        help_text="which end of another site's link is here",
    )
    bits = WholeField(
        min_value=FEWEST_BITS,
        max_value=MOST_BITS,
        required=False,
        help_text="of the key of a session with another site, at least",
    )


class _Chosen(StrictSerializer):
    """What may be said of a link and changed later."""

    users = serializers.ListField(
        child=PatternField(PRINCIPAL),
        required=False,
        max_length=50,
        help_text="ids of persons, services and groups that may use it beside its owner; * for everybody",
    )
    site_a = TextField(max_length=64, required=False, allow_null=True, help_text="where one end is")
    site_b = TextField(max_length=64, required=False, allow_null=True, help_text="where the other end is")
    parameters = LinkParametersIn(required=False, allow_null=True)
    qber_threshold = RealField(
        min_value=0.001,
        max_value=0.5,
        required=False,
        allow_null=True,
        help_text="error rate above which a session is compromised; null for the platform's",
    )
    low_water = WholeField(
        min_value=1,
        max_value=MOST_KEYS,
        required=False,
        allow_null=True,
        help_text="ready quantum keys below which the platform itself runs sessions over it; null for never",
    )
    target = WholeField(
        min_value=1,
        max_value=MOST_KEYS,
        required=False,
        allow_null=True,
        help_text="ready keys that it then brings the link to, at least; more where demand asks for it",
    )
    schedule = serializers.ListField(
        child=PatternField(WINDOW),
        required=False,
        allow_null=True,
        min_length=1,
        max_length=MOST,
        help_text="times of day (UTC) in which keys are produced up to the target, as 22:00-06:00, and at no others; "
        "null: at any time, below the low-water mark",
    )


class LinkIn(_Chosen):
    """A link."""

    EXAMPLES = (
        {"link_id": "metro-1", "name": "City centre to campus", "site_a": "centre", "site_b": "campus"},
        {
            "link_id": "metro-2",
            "name": "By fibre",
            "parameters": {"channel": "gys2005"},
            "low_water": 8,
            "target": 64,
        },
    )

    link_id = PatternField(ID, help_text="names it in sessions, for good")
    name = TextField(max_length=255)
    owner = PatternField(OWNER, required=False, help_text="the caller unless told")
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field, and no setting of it
        choices=SOURCES, default=LinkSource.SIMULATOR.value
    )


class LinkPatchIn(_Chosen):
    """What changes of a link; what is left out stays."""

    name = TextField(max_length=255, required=False)
    reason = TextField(max_length=REASON_LIMIT)


class LinkStateIn(StrictSerializer):
    """Where a link goes, and why."""

    state = serializers.ChoiceField(choices=STATES)
    reason = TextField(max_length=REASON_LIMIT)
    case_id = TextField(
        max_length=64,
        required=False,
        help_text="of a quarantine and its release: the case that holds the link",
    )


class LinkOut(RecordOut):
    """A link."""

    ROW = "links/{0.link_id}"

    link_id = TextField()
    name = TextField()
    owner = TextField()
    users = serializers.ListField(child=TextField())
    source = serializers.ChoiceField(choices=SOURCES)  # type: ignore[assignment]  # a field, and no setting of it
    state = serializers.ChoiceField(choices=STATES)
    site_a = TextField(allow_null=True)
    site_b = TextField(allow_null=True)
    parameters = serializers.DictField(allow_null=True)
    qber_threshold = RealField(allow_null=True)
    low_water = WholeField(allow_null=True)
    target = WholeField(allow_null=True)
    schedule = serializers.ListField(child=TextField(), allow_null=True)
    reason = TextField(allow_null=True)
    case_id = TextField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_by = TextField()
    changed_at = serializers.DateTimeField(allow_null=True)


class LinkChangeOut(serializers.Serializer[Any]):
    """One step in a link's history."""

    changed_at = serializers.DateTimeField()
    changed_by = TextField()
    event = TextField()
    state = serializers.ChoiceField(choices=STATES, help_text="after it")
    reason = TextField()
    case_id = TextField(allow_null=True)
    changed_fields = serializers.ListField(child=TextField(), help_text="that were changed")


class LinkStatisticsOut(serializers.Serializer[Any]):
    """What the latest sessions over a link were like, and what is ready over it."""

    sessions = WholeField(help_text="looked at: the latest ones")
    by_status = serializers.DictField(child=WholeField())
    last_session_at = serializers.DateTimeField(allow_null=True)
    qber_mean = RealField(allow_null=True, help_text="of those that compared bits")
    qber_highest = RealField(allow_null=True)
    final_bits = WholeField(help_text="of the ready ones")
    ready_keys = WholeField(help_text="of the platform's stock over it")
    per_second = RealField(help_text="quantum keys taken, as last measured")
    charts = serializers.DictField(
        help_text="where each chart stands that looks for a lasting shift, by name: its sum, the limit beyond which it"
        " speaks, how many sessions it is over, and how often it spoke among them"
    )
