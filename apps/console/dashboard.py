"""The overview: panels that the apps register, each shown to users who may view its records."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from apps.console.failures import FAILURES, problem_of
from apps.console.render import Tone

REFRESH_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number to take in at a glance."""

    label: str
    value: str
    tone: Tone | None = None
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of the chart, with its interval, in percent."""

    label: str
    value: float
    low: float
    high: float
    tone: Tone
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The content of a panel: any of figures, a table and a chart of points with a threshold."""

    figures: Sequence[Figure] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    note: str = ""  # instead of an empty table, or below the figures
    points: Sequence[Point] = ()
    threshold: float = 0.0

    def chart(self) -> dict[str, Any]:
        """Return the chart's data as JSON."""
        points = [
            {"label": p.label, "value": p.value, "low": p.low, "high": p.high, "tone": p.tone, "url": p.url}
            for p in self.points
        ]
        return {"points": points, "threshold": self.threshold}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A part of the overview. ``permission`` is the Django permission needed to see it."""

    name: str
    title: str
    permission: str
    load: Callable[[HttpRequest], Content]
    place: int
    width: Literal["third", "half", "two-thirds", "full"] = "half"
    has_chart: bool = False
    list_url: str = ""  # the name of the URL of the whole list


@dataclass(frozen=True, slots=True)
class Loaded:
    """A panel with its current content."""

    panel: Panel
    content: Content = field(default_factory=Content)

    @property
    def chart_id(self) -> str:
        """Id of the element that holds the chart's data."""
        return f"chart-{self.panel.name}"

    def body(self) -> SafeString:
        """Return the HTML of everything but the chart."""
        return render_to_string("console/panel_body.html", {"content": self.content})


_panels: dict[str, Panel] = {}


def register(panel: Panel) -> None:
    """Put a panel on the overview."""
    _panels[panel.name] = panel


def load_panels(request: HttpRequest) -> list[Loaded]:
    """Load the panels that the user may see; one that fails says so and leaves the others alone."""
    permitted = [panel for panel in _panels.values() if request.user.has_perm(panel.permission)]
    return [
        Loaded(panel, _content(panel, request)) for panel in sorted(permitted, key=lambda panel: panel.place)
    ]


def _content(panel: Panel, request: HttpRequest) -> Content:
    try:
        return panel.load(request)
    except FAILURES as error:
        return Content(note=f"Not available right now. {problem_of(error).detail}")


def as_json(request: HttpRequest) -> dict[str, Any]:
    """Return the panels as JSON, for the live refresh."""
    return {
        "panels": [
            {
                "name": shown.panel.name,
                "body": shown.body(),
                "chart": shown.content.chart() if shown.panel.has_chart else None,
            }
            for shown in load_panels(request)
        ]
    }
