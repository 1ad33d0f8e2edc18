"""The console's forms about applications that keys are delivered to."""

from typing import Any

from django import forms

from apps.console.actions import ReasonForm
from apps.console.lines import LinesField
from apps.kme.records import ANY_PEER, Sae

LISTS = ("fingerprints", "revoked", "peers")


class SettingsForm(forms.Form):
    """What is said of an application and may change."""

    name = forms.CharField(max_length=255, help_text="For people.")
    fingerprints = LinesField(
        columns=66,
        label="Certificates",
        help_text="SHA-256 of each certificate that is its own, 64 of 0-9 a-f, one a line. Or give a subject.",
    )
    subject = forms.CharField(
        required=False,
        max_length=1024,
        help_text="Of its certificates, as RFC 4514 writes it, such as CN=sae-alice.",
    )
    revoked = LinesField(
        columns=66,
        label="Refused certificates",
        help_text="SHA-256 of certificates that are no longer accepted.",
    )
    peers = LinesField(help_text=f"Applications that it may ask keys for, one a line; {ANY_PEER} for all.")
    keys_a_day = forms.IntegerField(
        required=False, min_value=0, label="Keys a day", help_text="How many it may ask for. Empty: no limit."
    )
    link = forms.CharField(
        required=False,
        max_length=64,
        help_text="Its keys come from sessions over this link. Empty: over any of the platform's.",
    )

    site = forms.CharField(
        required=False,
        max_length=64,
        label="Other site",
        help_text="Link to the site where it collects its keys. Empty: here.",
    )

    def chosen(self) -> dict[str, Any]:
        """Return the fields that the services take."""
        given = {name: self.cleaned_data[name] for name in SettingsForm.base_fields}
        return given | {name: given[name] or None for name in ("subject", "link", "site")}

    @staticmethod
    def told(sae: Sae) -> dict[str, Any]:
        """Return the same fields of an application."""
        return {name: getattr(sae, name) for name in SettingsForm.base_fields}

    @staticmethod
    def of(sae: Sae) -> dict[str, Any]:
        """Return what stands in the form of an application."""
        told = SettingsForm.told(sae)
        return told | {name: "\n".join(told[name]) for name in LISTS}


class SaeForm(SettingsForm):
    """A new application."""

    sae_id = forms.CharField(
        max_length=64,
        label="Id",
        help_text="The common name of its certificates: letters, digits and . _ : @ -",
    )
    field_order = ("sae_id",)


class ChangeSaeForm(SettingsForm, ReasonForm):
    """What an application may do from now on, and why."""

    field_order = (*SettingsForm.base_fields, "reason")
