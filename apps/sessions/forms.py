"""The console's form for a session."""

from typing import Any

from django import forms
from django.conf import settings

from apps.common.errors import PlatformError
from apps.sessions import services
from apps.sessions.serializers import LINK


class GenerateForm(forms.Form):
    """What ``services.GenerateRequest`` takes; the service checks the values."""

    key_length = forms.IntegerField(
        initial=settings.QUANTUM_KEY_BITS,
        help_text=f"Bits of the final key. Each {settings.QUANTUM_KEY_BITS} of them are a quantum key for one file or message.",
    )
    error_rate = forms.FloatField(
        initial=0.02,
        help_text=f"Of the channel, 0 to 0.5; above {settings.QBER_THRESHOLD} no secret bit is left.",
    )
    eavesdropper = forms.ChoiceField(
        choices=[("none", "None"), ("intercept_resend", "Intercept and resend")],
        help_text="What Eve does on the quantum channel. The session does not know of her.",
    )
    fraction = forms.FloatField(
        required=False,
        label="Eve's share",
        help_text="Of the photons that she intercepts, 0 to 1; empty: all of them.",
    )
    link = forms.RegexField(
        LINK,
        initial=services.DEFAULT_LINK,
        help_text="The session is judged by the history of its link, too. Letters, digits, dots and dashes.",
    )

    def asked(self) -> services.GenerateRequest:
        """The request that the form describes."""
        given = self.cleaned_data
        eavesdropper: dict[str, Any] = {"kind": given["eavesdropper"]}
        if given["fraction"] is not None and given["eavesdropper"] != "none":
            eavesdropper["fraction"] = given["fraction"]
        return services.GenerateRequest(
            key_length=given["key_length"],
            error_rate=given["error_rate"],
            eavesdropper=eavesdropper,
            link=given["link"],
        )

    def refuse(self, error: PlatformError) -> None:
        """Put what the service says beside the fields that it names; the engine's sentences begin with the name."""
        told = [(found.field, found.message) for found in error.errors]
        for name, message in told or [(error.detail.partition(" ")[0], error.detail)]:
            self.add_error(name if name in self.fields else None, message)
