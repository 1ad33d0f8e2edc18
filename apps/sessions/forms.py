"""The console's form that generates a session."""

from typing import Any

from django import forms
from django.conf import settings

from apps.common.errors import PlatformError
from apps.links.services import ID as LINK
from apps.sessions import services
from qkd.records import MAX_KEY_LENGTH, MIN_KEY_LENGTH


class GenerateForm(forms.Form):
    """Fields of ``services.GenerateRequest``. Bounds that are known beforehand are checked here, the rest by the service."""

    key_length = forms.IntegerField(
        initial=settings.QUANTUM_KEY_BITS,
        min_value=MIN_KEY_LENGTH,
        max_value=MAX_KEY_LENGTH,
        help_text=f"Bits of the final key. Every {settings.QUANTUM_KEY_BITS} bits are a quantum key for one file or message.",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"),
            f"Enter {MIN_KEY_LENGTH:,} to {MAX_KEY_LENGTH:,} bits.",
        ),
    )
    error_rate = forms.FloatField(
        initial=0.02,
        min_value=0,
        max_value=0.5,
        help_text=f"Error rate of the channel, 0 to 0.5. Above {settings.QBER_THRESHOLD} no secret bits remain.",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), "Enter a number from 0 to 0.5."
        ),
    )
    eavesdropper = forms.ChoiceField(
        choices=[("none", "None"), ("intercept_resend", "Intercept and resend")],
        help_text="What Eve does on the quantum channel. Alice and Bob are not told. It is a study then: its key is not kept.",
    )
    fraction = forms.FloatField(
        required=False,
        label="Intercepted fraction",
        min_value=0,
        max_value=1,
        help_text="Fraction of the photons that Eve intercepts, 0 to 1. Leave it empty for all of them.",
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), "Enter a number from 0 to 1, or leave it empty."
        ),
    )
    link = forms.RegexField(
        LINK,
        initial=services.DEFAULT_LINK,
        error_messages=dict.fromkeys(
            ("required", "invalid"), "Letters, digits, dots, dashes and underscores, up to 64."
        ),
        help_text="One that you may use. The verdict also considers the history of the link.",
    )

    def to_request(self) -> services.GenerateRequest:
        """Return the request that the form describes."""
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

    def show_errors(self, error: PlatformError) -> None:
        """Show the service's errors beside the fields that they name; the engine's sentences begin with the name."""
        named = [(found.field, found.message) for found in error.errors]
        for name, message in named or [(error.detail.partition(" ")[0], error.detail)]:
            self.add_error(name if name in self.fields else None, message)
