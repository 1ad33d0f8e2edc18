"""The console's form that generates a session."""

from typing import Any

from django import forms
from django.conf import settings

from apps.console import render
from apps.links.services import ID as LINK
from apps.sessions import services
from qkd.vocabulary import KINDS, MAX_KEY_LENGTH, MIN_KEY_LENGTH

MAX_BATCH = 1000  # as the API
PLAIN = "A plain error rate, no loss"


def _channels() -> list[tuple[str, str]]:
    """The engine's channels: known where the form is shown, as naming them imports numpy."""
    from qkd.channel import PRESETS  # noqa: PLC0415 - a fifth of a cold start

    named = [(one.name, f"{render.heading(one.name)}: {one.source}") for one in PRESETS.values()]
    return [("", PLAIN), *named]


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
    take_all = forms.BooleanField(
        required=False,
        label="Keep all",
        help_text="Keep every secret bit that the photons leave, not only the number above.",
    )
    error_rate = forms.FloatField(
        required=False,
        initial=0.02,
        min_value=0,
        max_value=0.5,
        help_text=f"Error rate of the channel, 0 to 0.5. Above {settings.QBER_THRESHOLD} no secret bits remain.",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), "Enter a number from 0 to 0.5."
        ),
    )
    channel = forms.ChoiceField(
        required=False,
        choices=_channels,
        help_text="A channel with its distance, loss and detectors. It has an error rate of its own.",
    )
    eavesdropper = forms.ChoiceField(
        choices=[(kind, render.heading(kind)) for kind in KINDS],
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

    count = forms.IntegerField(
        initial=1,
        min_value=1,
        max_value=MAX_BATCH,
        label="Sessions",
        help_text="More than one are run by a job.",
        error_messages=dict.fromkeys(
            ("required", "invalid", "min_value", "max_value"), f"Enter 1 to {MAX_BATCH:,} sessions."
        ),
    )

    def to_request(self) -> services.GenerateRequest:
        """Return the request that the form describes."""
        given = self.cleaned_data
        eavesdropper: dict[str, Any] = {"kind": given["eavesdropper"]}
        if given["fraction"] is not None and given["eavesdropper"] != "none":
            eavesdropper["fraction"] = given["fraction"]
        channel = given["channel"] or None
        return services.GenerateRequest(
            key_length=services.ALL if given["take_all"] else given["key_length"],
            at_least=given["key_length"] if given["take_all"] else None,
            error_rate=None if channel else given["error_rate"],
            channel=channel,
            eavesdropper=eavesdropper,
            link=given["link"],
        )
