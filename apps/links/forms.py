"""The console's forms about links."""

from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput

from apps.console import people
from apps.console.actions import ReasonForm
from apps.console.lines import LinesField
from apps.links.records import EVERYONE, Link, LinkSource


class PrincipalsField(LinesField):
    """Ids of persons, services and groups, one a line; a person may be given by their user name."""

    def to_python(self, value: Any) -> Any:
        return tuple(line if line == EVERYONE else people.id_of(line) for line in super().to_python(value))


class ParametersField(forms.JSONField):
    """An object as JSON, or nothing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea({"rows": 3, "cols": 50}), **options)

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except RecursionError:
            raise forms.ValidationError("Too many brackets within each other.") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return super().bound_data(data, initial)
        except RecursionError:
            return InvalidJSONInput(data)

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        if found is not None and not isinstance(found, dict):
            raise forms.ValidationError('Enter an object, such as {"error_rate": 0.02}.')
        return found


class SettingsForm(forms.Form):
    """What is said of a link and may change."""

    name = forms.CharField(max_length=255, help_text="For people.")
    site_a = forms.CharField(required=False, max_length=255, label="From site")
    site_b = forms.CharField(required=False, max_length=255, label="To site")
    users = PrincipalsField(
        label="May use it",
        help_text=f"User names, or ids of persons, services and groups, one a line; {EVERYONE} for everybody. The owner always may.",
    )
    parameters = ParametersField(
        help_text='Of the simulator {"channel": "metro"} or {"error_rate": 0.02}; of another KME base_url, peer and client; '
        "of another site these and role."
    )
    qber_threshold = forms.FloatField(
        required=False, max_value=0.5, min_value=0.0001, label="Alarm threshold (QBER)",
        help_text="A fraction, up to 0.5. Empty: the platform's.",
    )  # fmt: skip
    low_water = forms.IntegerField(
        required=False,
        min_value=1,
        label="Low-water mark (quantum keys)",
        help_text="Empty: nothing is kept by itself.",
    )
    target = forms.IntegerField(required=False, min_value=1, label="Filled up to (quantum keys)")
    schedule = LinesField(
        label="Produced at (UTC)",
        help_text="Times of day, one a line, as 22:00-06:00. Empty: at any time, below the low-water mark.",
    )

    def chosen(self) -> dict[str, Any]:
        """Return the fields that the services take."""
        given = self.cleaned_data
        found = {name: given[name] for name in SettingsForm.base_fields}
        return found | {name: given[name] or None for name in ("site_a", "site_b", "schedule")}

    @staticmethod
    def of(link: Link) -> dict[str, Any]:
        """Return what stands in the form of a link."""
        told = {name: getattr(link, name) for name in SettingsForm.base_fields}
        parameters = None if link.parameters is None else dict(link.parameters)
        lines = {name: "\n".join(getattr(link, name) or ()) for name in ("users", "schedule")}
        return told | lines | {"parameters": parameters}

    @staticmethod
    def told(link: Link) -> dict[str, Any]:
        """Return the fields of a link that the services take."""
        return SettingsForm.of(link) | {"users": tuple(link.users), "schedule": link.schedule}


class LinkForm(SettingsForm):
    """A new link."""

    link_id = forms.CharField(
        max_length=64,
        label="Id",
        help_text="Letters, digits, dots, dashes and underscores, up to 64. Permanent.",
    )
    source = forms.ChoiceField(
        choices=[(one.value, one.value.replace("_", " ").capitalize()) for one in LinkSource],
        label="Source of keys", help_text="Permanent.",
    )  # fmt: skip
    field_order = ("link_id", "name", "source")


class ChangeLinkForm(SettingsForm, ReasonForm):
    """What a link is set to from now on, and why."""

    field_order = (*SettingsForm.base_fields, "reason")
