"""The overview: panels that the apps register, each shown to users who may view its records."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from apps.console import attention
from apps.console.attention import Item
from apps.console.failures import FAILURES, problem_of
from apps.console.render import Tone

REFRESH_SECONDS = 10
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number to take in at a glance; ``change`` says how it differs from the window before."""

    label: str
    value: str
    change: str = ""
    tone: Tone | None = None
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of the chart, at its time, with its interval, in percent; those of a series are joined by a line.

    Of several sessions it is the mean, and has no interval.
    """

    at: datetime
    series: str
    value: float
    low: float
    high: float
    tone: Tone
    url: str
    count: int = 1
    joined: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Picker:
    """A choice of what a panel shows."""

    name: str
    label: str
    chosen: str
    options: Sequence[tuple[str, str]]


StepState = Literal["done", "now", "later"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of several; the one where somebody is has a button, which leads on or, where it ``posts``, acts."""

    title: str
    state: StepState
    label: str = ""
    url: str = ""
    posts: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The content of a panel: any of steps, figures, a table, items and a chart of points with a threshold."""

    figures: Sequence[Figure] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    items: Sequence[Item] = ()
    steps: Sequence[Step] = ()
    soon: bool = False  # something is about to change: the page looks again within seconds
    note: str = ""  # instead of an empty table, or below the figures
    points: Sequence[Point] = ()
    threshold: float = 0.0
    since: datetime | None = None  # where the chart begins; it ends now
    pickers: Sequence[Picker] = ()

    def chart(self) -> dict[str, Any]:
        """Return the chart's data as JSON."""
        points = [
            {
                "at": _milliseconds(p.at), "series": p.series, "value": p.value, "low": p.low, "high": p.high,
                "tone": p.tone, "url": p.url, "count": p.count, "joined": p.joined,
            }
            for p in self.points
        ]  # fmt: skip
        since = None if self.since is None else _milliseconds(self.since)
        return {"points": points, "threshold": self.threshold, "since": since}


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


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
    goes_away: bool = False  # not shown while it has nothing to say


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
_SHARED = "console_shared"


def _attention(request: HttpRequest) -> Content:
    """Everything that waits for a person; a quiet word where nothing does."""
    found = attention.items(request)
    return Content(items=found, note="" if found else "Nothing to do.")


_ATTENTION = Panel(
    name="attention", title="Needs attention", permission="", place=0, width="full", load=_attention
)


def shared(request: HttpRequest, name: str, load: Callable[[], T]) -> T:
    """Read what several parts of the overview need once for a request."""
    kept: dict[str, Any] = request.__dict__.setdefault(_SHARED, {})
    if name not in kept:
        kept[name] = load()
    value: T = kept[name]
    return value


def register(panel: Panel) -> None:
    """Put a panel on the overview."""
    _panels[panel.name] = panel


def load_panels(request: HttpRequest) -> list[Loaded]:
    """Load the panels that the user may see; one that fails says so and leaves the others alone."""
    permitted = [panel for panel in _panels.values() if request.user.has_perm(panel.permission)]
    first = [_ATTENTION] if attention.permitted(request) else []
    loaded = [
        Loaded(panel, _content(panel, request))
        for panel in [*first, *sorted(permitted, key=lambda panel: panel.place)]
    ]
    return [shown for shown in loaded if not (shown.panel.goes_away and shown.content == Content())]


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
