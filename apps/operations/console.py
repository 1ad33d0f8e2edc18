"""What operations cost, as counted: a page of the console."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.console import pages, render
from apps.console.details import Related
from apps.metrics.catalog import DECRYPTIONS, ENCRYPTIONS, VERDICTS
from apps.operations import costs
from apps.rollups import services as rollups
from apps.rollups.records import Period, Point

DAYS = 30
SHOWN = "Not in it: storage, functions, the gateway, the root key, and what leaves AWS. docs/cost.md has a whole month."


def _costs_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show what the last days cost by what was done, and the price of each operation."""
    done = [
        (costs.ENCRYPT, _points(ENCRYPTIONS, kind="message")),
        (costs.UPLOAD, _points(ENCRYPTIONS, kind="file")),
        (costs.READ, _points(DECRYPTIONS, kind="file")),
        (costs.DECRYPT, _points(DECRYPTIONS, kind="message")),
        (costs.SESSION, _points(VERDICTS)),
    ]
    sums = [(one, sum(point.total for point in points), points) for one, points in done]
    dollars = sum(count * one.dollars / costs.MILLION for one, count, _ in sums)
    rows = [
        (
            render.heading(one.name),
            render.number(int(count)),
            render.number(int(points[-1].total)),
            _dollars(count * one.dollars / costs.MILLION),
        )
        for one, count, points in sums
    ]
    prices = [
        (
            render.heading(one.name),
            f"{one.write_units:.1f}",
            f"{one.read_units:.1f}",
            f"{one.calls:.1f}",
            _dollars(one.dollars),
        )
        for one in costs.OPERATIONS
    ]
    parts = [
        Related(
            title=f"The last {DAYS} days",
            columns=("Operation", f"In {DAYS} days", "Of these today (UTC)", "About"),
            rows=rows,
            note=f"About {_dollars(dollars)} for DynamoDB and S3 calls. {SHOWN}",
        ),
        Related(
            title="Each operation",
            columns=("Operation", "Write units", "Read units", "Calls to AWS", "A million of it"),
            rows=prices,
            note="Counted by a test that holds them; list prices of us-east-1, on demand, November 2025.",
        ),
    ]
    return TemplateResponse(request, "console/parts.html", context | {"parts": parts})


def _dollars(amount: float) -> str:
    """Return a price, which no line breaks: in cents where it has any."""
    if not amount:
        return "$\N{NO-BREAK SPACE}0"
    return f"$\N{NO-BREAK SPACE}{amount:,.2f}" if amount >= 0.01 else "less than 1\N{NO-BREAK SPACE}cent"


def _points(metric: Any, **dimensions: str) -> list[Point]:
    return rollups.chart(metric, period=Period.DAY, hours=24 * DAYS, **dimensions)


pages.register(
    pages.ConsolePage(
        name="costs", title="Costs", section="Operations", place=4,
        permission="operations.view_schedule", view=_costs_page,
    )
)  # fmt: skip
