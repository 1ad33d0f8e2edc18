"""The console's form about reports."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms

from apps.common import clock


class ReportForm(forms.Form):
    """Asks for a period of whole days."""

    first = forms.DateField(
        label="From day (UTC)", widget=forms.DateInput({"type": "date"}), input_formats=["%Y-%m-%d"]
    )
    last = forms.DateField(
        label="Up to day (UTC)",
        widget=forms.DateInput({"type": "date"}),
        input_formats=["%Y-%m-%d"],
        help_text="That day is in the report; it has to be over.",
    )

    def period(self) -> dict[str, datetime]:
        """Return what the service takes."""
        first, last = (
            datetime(day.year, day.month, day.day, tzinfo=UTC)
            for day in (self.cleaned_data["first"], self.cleaned_data["last"])
        )
        return {"since": first, "until": last + timedelta(days=1)}

    @staticmethod
    def last_month() -> dict[str, Any]:
        """Return the days of the last month."""
        last = clock.now().astimezone(UTC).date().replace(day=1) - timedelta(days=1)
        return {"first": last.replace(day=1).isoformat(), "last": last.isoformat()}
