"""The console's forms about files."""

from django import forms

from apps.access.records import Right
from apps.console import render
from apps.files.records import StorageClass


class ArchiveForm(forms.Form):
    """Asks for the cold storage class."""

    storage_class = forms.ChoiceField(
        choices=[
            (one.value, render.heading(one.value)) for one in StorageClass if one is not StorageClass.STANDARD
        ],
        help_text="From GLACIER and DEEP_ARCHIVE a file comes back within hours; GLACIER_IR is read at once.",
    )


class UnshareForm(forms.Form):
    """Asks from whom a file is taken back."""

    grantee = forms.CharField(
        max_length=255,
        label="With",
        help_text="A user name, or the id of a person, service or group that it is shared with.",
    )


class ShareForm(forms.Form):
    """Asks whom a file is shared with, and until when."""

    grantee = forms.CharField(
        max_length=255, label="With", help_text="A user name, or the id of a person, service or group."
    )
    right = forms.ChoiceField(choices=[(one.value, render.heading(one.value)) for one in Right])
    until = forms.DateTimeField(
        required=False,
        help_text="Day and time in UTC. Empty: until it is taken back.",
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )
