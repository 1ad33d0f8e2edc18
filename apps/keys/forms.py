"""The console's forms about pool keys."""

import base64
import binascii
from typing import Any

from django import forms

from apps.console.actions import ReasonForm
from apps.keys.pool_records import DEFAULT_POOL, Pool, Purpose
from qkdseal.kem import Suite

SUITES = [(suite.value, suite.value) for suite in Suite if suite.seals]


class TakingAwayForm(ReasonForm):
    """Asks for the reason, and whether the pool may be left with too few keys."""

    below_low_water = forms.BooleanField(
        required=False,
        label="Even below the low-water mark",
        help_text="Take the keys away even if a pool keeps too few active ones. It is refilled at once.",
    )


class DestructionForm(ReasonForm):
    """Asks for the reason, and whether messages may be lost."""

    lose_messages = forms.BooleanField(
        required=False,
        label="Lose its messages",
        help_text="Messages sealed to the key never open again, as clients keep their packages.",
    )


class Base64Field(forms.CharField):
    """Bytes as text in base64."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise forms.ValidationError("Enter base64.") from None


class ExportForm(ReasonForm):
    """Asks whom a key is sealed to."""

    recipient = Base64Field(
        label="Recipient's public key",
        widget=forms.Textarea({"rows": 4, "cols": 60}),
        help_text="In base64. The key is sealed to it; nobody else can open the export.",
    )
    suite = forms.ChoiceField(choices=SUITES, help_text="Suite of the recipient's public key.")


class ImportForm(ReasonForm):
    """Asks for a key pair's seed."""

    seed = Base64Field(
        label="Seed of the private key",
        widget=forms.PasswordInput({"size": 60, "autocomplete": "off"}),
        help_text="In base64. It is wrapped at once and shown nowhere. The key serves once a second person allows it.",
    )
    suite = forms.ChoiceField(choices=SUITES)
    pool = forms.CharField(initial=DEFAULT_POOL, help_text="A pool that accepts imported keys.")


class PoolSettingsForm(forms.Form):
    """What is said of a pool and may change."""

    about = forms.CharField(required=False, max_length=255, label="Description")
    purposes = forms.MultipleChoiceField(
        choices=[(one.value, one.value.capitalize()) for one in Purpose],
        initial=[one.value for one in Purpose],
        widget=forms.CheckboxSelectMultiple,
    )
    target = forms.IntegerField(
        required=False,
        min_value=1,
        label="Target (active keys)",
        help_text="Empty: the platform's setting.",
    )
    rotation_days = forms.IntegerField(
        required=False,
        min_value=1,
        label="Rotated after (days)",
        help_text="Empty: the platform's setting.",
    )
    low_water = forms.IntegerField(
        required=False,
        min_value=0,
        label="Low-water mark (active keys)",
        help_text="Empty: the platform's share of the target.",
    )
    max_uses = forms.IntegerField(
        required=False,
        min_value=1,
        label="Rotated after (uses)",
        help_text="Empty: the platform's setting.",
    )
    accepts_imports = forms.BooleanField(required=False)

    def chosen(self) -> dict[str, Any]:
        """Return the fields that the services take."""
        given = {name: self.cleaned_data[name] for name in PoolSettingsForm.base_fields}
        return given | {"purposes": tuple(Purpose(one) for one in given["purposes"])}

    @staticmethod
    def of(pool: Pool) -> dict[str, Any]:
        """Return what stands in the form of a pool."""
        told = {name: getattr(pool, name) for name in PoolSettingsForm.base_fields}
        return told | {"purposes": tuple(Purpose(one) for one in pool.purposes)}


class PoolForm(PoolSettingsForm):
    """A new pool."""

    name = forms.CharField(max_length=32, help_text="a to z, 0 to 9 and -, up to 32 characters. Permanent.")
    suite = forms.ChoiceField(choices=SUITES, help_text="Permanent.")
    field_order = ("name", "about", "suite")

    def chosen(self) -> dict[str, Any]:
        """Return what ``pools.make`` takes."""
        given = self.cleaned_data
        return {**super().chosen(), "name": given["name"], "suite": Suite(given["suite"])}


class ChangePoolForm(PoolSettingsForm, ReasonForm):
    """How a pool is kept from now on, and why."""

    field_order = (*PoolSettingsForm.base_fields, "reason")
