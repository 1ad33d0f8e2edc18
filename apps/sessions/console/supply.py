"""What the overview says of the stock, and of what waits for its verdict; the page of the stock."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.access.console import actor_of
from apps.common import clock
from apps.console import attention, dashboard, pages, render
from apps.console.attention import Item
from apps.console.details import Related
from apps.console.render import Tone
from apps.sessions import services, stock
from apps.sessions.records import Session, SessionStatus

MAY_VIEW = "qkd_sessions.view_session"
LATE_SECONDS = 300  # a session is judged within seconds; what waits longer lost its event


def waiting(request: HttpRequest) -> list[Session]:
    """Sessions that wait for their verdict, read once for a page."""
    return dashboard.shared(request, "waiting", services.waiting)


def _stock_now(request: HttpRequest) -> stock.Stock:
    waits = waiting(request)
    return stock.stock(waits if len(waits) < services.MOST else None)


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
    waits = waiting(request)
    count, longest = len(waits), min(waits, key=lambda one: one.timestamp, default=None)
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
