"""The console's form that starts a verification."""

from django import forms

from apps.audit.verifying import Depth


class VerifyForm(forms.Form):
    """Asks how far a verification goes."""

    depth = forms.ChoiceField(
        label="How far",
        initial=Depth.ENTRIES,
        widget=forms.RadioSelect,
        choices=[
            (Depth.SINCE_CHECKPOINT, "What came since the newest signed checkpoint"),
            (Depth.ENTRIES, "Every entry of every chain"),
            (Depth.RECORDS, "Every entry, and every record against its newest entry"),
        ],
    )
