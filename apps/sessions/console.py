"""What the overview says of sessions: figures and QBER over a time window, the stock, and what waits for its verdict."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.access.console import actor_of
from apps.common import clock
from apps.common.caching import TimedCache
from apps.console import attention, dashboard, pages, render
from apps.console.attention import Item
from apps.console.details import Related
from apps.console.render import Tone
from apps.sessions import services, stock
from apps.sessions.display import TONES
from apps.sessions.records import Session, SessionStatus

MAY_VIEW = "qkd_sessions.view_session"
READ = 400  # sessions of a window: about what one Query answers
WINDOWS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
USUAL = "24h"
LATE_SECONDS = 300  # a session is judged within seconds; what waits longer lost its event
_compromised = TimedCache[int](max_items=len(WINDOWS), ttl_seconds=30.0)  # where many are counted to know it
SHOWN = (
    SessionStatus.READY,
    SessionStatus.PENDING,
    SessionStatus.ABORTED,
    SessionStatus.STUDY,
    SessionStatus.REVOKED,
    SessionStatus.COMPROMISED,
)


def _window(request: HttpRequest) -> str:
    asked = request.GET.get("range", "")
    return asked if asked in WINDOWS else USUAL


def _qber(request: HttpRequest) -> dashboard.Content:
    window, link = _window(request), request.GET.get("link", "").strip()[:64] or None
    actor = actor_of(request)
    begins = clock.now() - WINDOWS[window]
    # Twice the window where it is the usual one: its figures are told with their change
    earlier = clock.now() - 2 * WINDOWS[window]
    read, whole = services.since(earlier, actor=actor, limit=READ, link=link)
    found = [one for one in read if one.timestamp >= begins]
    complete = whole or len(found) < len(read)
    counted = Counter(one.status for one in found)
    exact = set(SHOWN) if complete else set()
    if not complete and not link and actor.sees_all:
        exact = _count_what_matters(counted, request, window)
    return dashboard.Content(
        figures=_figures(counted, read[len(found) :] if whole else None, exact, link),
        points=[_point(one) for one in reversed(found)],
        threshold=100 * settings.QBER_THRESHOLD,
        since=begins,
        pickers=_pickers(window, link, read),
        note=_note(found, window, link, complete=complete),
    )


def _waiting(request: HttpRequest) -> list[Session]:
    return dashboard.shared(request, "waiting", services.waiting)


def _count_what_matters(
    counted: Counter[SessionStatus], request: HttpRequest, window: str
) -> set[SessionStatus]:
    """Count the few that matter, however many others there are; return which are counted to the last one."""
    waiting, begins = _waiting(request), clock.now() - WINDOWS[window]
    counted[SessionStatus.COMPROMISED] = _compromised.get(
        window, lambda: services.count_since(SessionStatus.COMPROMISED, begins)
    )
    # Of more than that, those at hand may be others than the newest, which were read
    waited = sum(one.timestamp >= begins for one in waiting)
    counted[SessionStatus.PENDING] = max(counted[SessionStatus.PENDING], waited)
    few = len(waiting) < services.MOST
    return {SessionStatus.COMPROMISED, SessionStatus.PENDING} if few else {SessionStatus.COMPROMISED}


def _figures(
    counted: Counter[SessionStatus],
    before: list[Session] | None,
    exact: set[SessionStatus],
    link: str | None,
) -> list[dashboard.Figure]:
    earlier = Counter(one.status for one in before or ())
    listed_at = reverse("admin:qkd_sessions_session_changelist")
    query = f"&link={link}" if link else ""
    figures = []
    for status in SHOWN:
        change = counted[status] - earlier[status]
        figures.append(
            dashboard.Figure(
                label=render.heading(status),
                value=f"{counted[status]:,}" if status in exact else f"≥ {counted[status]:,}",
                change=f"{change:+,}" if before is not None and change else "",
                tone=TONES[status] if counted[status] else None,
                url=f"{listed_at}?status={status}{query}",
            )
        )
    return figures


def _point(one: Session) -> dashboard.Point:
    return dashboard.Point(
        at=one.timestamp,
        series=one.link,
        value=100 * one.estimated_qber,
        low=100 * one.qber_low,
        high=100 * one.qber_high,
        tone=TONES[one.status],
        url=reverse("admin:qkd_sessions_session_change", args=[one.session_id]),
    )


def _pickers(window: str, link: str | None, read: list[Session]) -> list[dashboard.Picker]:
    links = sorted({one.link for one in read} | ({link} if link else set()))
    return [
        dashboard.Picker(
            name="range", label="Range", chosen=window, options=[(name, f"Last {name}") for name in WINDOWS]
        ),
        dashboard.Picker(
            name="link",
            label="Link",
            chosen=link or "",
            options=[("", "All links"), *((name, render.spelt(name)) for name in links)],
        ),
    ]


def _note(found: list[Session], window: str, link: str | None, *, complete: bool) -> str:
    where = f" over {render.spelt(link)}" if link else ""
    if not found:
        return f"No session was run in the last {window}{where}."
    if complete:
        return f"Sessions in the last {window}{where}: {len(found):,}, each where it was run."
    return (
        f"The newest {len(found):,} sessions of the last {window}{where}; there are more. The list shows all."
    )


def _stock_now(request: HttpRequest) -> stock.Stock:
    waiting = _waiting(request)
    return stock.stock(waiting if len(waiting) < services.MOST else None)


def _stock(request: HttpRequest) -> dashboard.Content:
    found = dashboard.shared(request, "stock", lambda: _stock_now(request))
    figures = [
        dashboard.Figure(label="Ready", value=f"{found.total:,}", tone=_stock_tone(found)),
        dashboard.Figure(label="Being judged", value=f"{found.pending:,}"),
        dashboard.Figure(label="Taken", value=f"{60 * found.per_second:,.1f} / min"),
    ]
    note = (
        f"Each key encrypts one file or message. Refilled below {found.low_water:,}, up to {found.target:,}."
    )
    return dashboard.Content(figures=figures, note=note)


def _stock_tone(found: stock.Stock) -> Tone:
    return Tone.BAD if not found.total else Tone.WAIT if found.is_low else Tone.GOOD


def _low_stock(request: HttpRequest) -> Iterator[Item]:
    found = dashboard.shared(request, "stock", lambda: _stock_now(request))
    if not found.total:
        yield Item(
            text="No quantum key is ready: nothing can be encrypted.",
            tone=Tone.BAD,
            url=reverse("admin:page", args=["stock"]),
        )
    elif found.is_low:
        yield Item(
            text=f"{found.total:,} quantum keys are ready, fewer than the low-water mark {found.low_water:,}.",
            url=reverse("admin:page", args=["stock"]),
        )


def _backlog(request: HttpRequest) -> Iterator[Item]:
    """Sessions that wait for their verdict for longer than is usual."""
    waiting = _waiting(request)
    count, longest = len(waiting), min(waiting, key=lambda one: one.timestamp, default=None)
    if longest is not None and longest.timestamp < clock.ago(LATE_SECONDS):
        url = reverse("admin:qkd_sessions_session_changelist") + f"?status={SessionStatus.PENDING}"
        yield Item(
            text=f"{count:,}{' or more' if count == services.MOST else ''} {'session waits for its' if count == 1 else 'sessions wait for their'} verdict.",
            url=url,
            since=longest.timestamp,
        )


attention.register(attention.Source(permission=MAY_VIEW, load=_low_stock))
attention.register(attention.Source(permission=MAY_VIEW, load=_backlog))
dashboard.register(
    dashboard.Panel(
        name="qber", title="Sessions and their QBER", permission=MAY_VIEW, load=_qber, place=2, width="two-thirds",
        has_chart=True, list_url="admin:qkd_sessions_session_changelist",
    )
)  # fmt: skip
dashboard.register(
    dashboard.Panel(
        name="stock", title="Quantum-key stock", permission=MAY_VIEW, load=_stock, place=3, width="third"
    )
)


def _stock_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show the stock as a whole and by link."""
    found = stock.stock_for(actor_of(request))
    total = [
        ("Ready", render.number(found.total)),
        ("Being judged", render.number(found.pending)),
        ("Low-water mark", render.number(found.low_water)),
        ("Target", render.number(found.target)),
        ("Taken", f"{60 * found.per_second:,.1f} / min"),
        ("Ready in your own sessions, which serve nobody else", render.number(found.own)),
    ]
    by_link = [
        (render.link(request.user, "links.link", name, render.name(name)), render.number(count))
        for name, count in sorted(found.by_link.items())
    ]
    parts = [
        Related(title="The platform's stock", columns=("What", "Quantum keys"), rows=total),
        Related(
            title="By link",
            columns=("Link", "Ready quantum keys"),
            rows=by_link,
            note="" if by_link else "No quantum key is ready.",
        ),
    ]
    intro = "Each quantum key encrypts one file or message. The platform runs sessions by itself to keep the stock."
    return TemplateResponse(request, "console/parts.html", context | {"parts": parts, "intro": intro})


pages.register(
    pages.ConsolePage(
        name="stock", title="Stock", section="Quantum", place=5, permission=MAY_VIEW, view=_stock_page
    )
)
