"""What needs a person, first on the overview: each app registers what it may have to say."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest

from apps.console.failures import FAILURES, problem_of
from apps.console.render import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A sentence about something that waits for a person, and where to see to it."""

    text: str
    tone: Tone = Tone.WAIT
    url: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What finds such items. ``permission`` is the Django permission needed to see them."""

    permission: str
    load: Callable[[HttpRequest], Iterable[Item]]


_sources: list[Source] = []
_ORDER = (Tone.BAD, Tone.WAIT, Tone.INFO)


def register(source: Source) -> None:
    """Let the overview ask this, too."""
    _sources.append(source)


def permitted(request: HttpRequest) -> list[Source]:
    """Return the sources that the user may ask."""
    return [source for source in _sources if request.user.has_perm(source.permission)]


def items(request: HttpRequest) -> list[Item]:
    """Return everything that waits, the worst first; a source that fails says so, and leaves the others alone."""
    found: list[Item] = []
    for source in permitted(request):
        try:
            found += source.load(request)
        except FAILURES as error:
            found.append(Item(text=f"Not known right now: {problem_of(error).detail}"))
    return sorted(found, key=lambda item: _ORDER.index(item.tone) if item.tone in _ORDER else len(_ORDER))
