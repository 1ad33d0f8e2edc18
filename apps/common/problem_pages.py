"""A page for every kind of problem: what it means, and what to do (its address is the problem's `type`)."""

from collections.abc import Iterator

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join

from apps.common import problems
from apps.common.errors import PlatformError
from apps.common.routes import address_of

ADDRESS = problems.ADDRESS


def kinds() -> dict[str, type[PlatformError]]:
    """Collect every kind by its name; of several classes of one kind, the most general."""
    found: dict[str, type[PlatformError]] = {}
    for kind in _all(PlatformError):
        found.setdefault(kind.type, kind)
    return dict(sorted(found.items()))


def _all(kind: type[PlatformError]) -> Iterator[type[PlatformError]]:
    level = [kind]
    while level:
        yield from level
        level = [child for parent in level for child in parent.__subclasses__()]


def index(_request: HttpRequest) -> HttpResponse:
    """List all kinds."""
    rows = format_html_join(
        "",
        '<tr><td>{}</td><td><a href="{}">{}</a></td><td>{}</td></tr>',
        ((kind.status, address_of("problem", name), name, kind.title) for name, kind in kinds().items()),
    )
    table = format_html("<table><tr><th>Status</th><th>Kind</th><th>Meaning</th></tr>{}</table>", rows)
    return _page("Kinds of problems", table)


def page(_request: HttpRequest, name: str) -> HttpResponse:
    """Explain one kind."""
    kind = kinds().get(name)
    if kind is None:
        raise Http404
    body = format_html(
        "<p>{} · <code>{}</code></p><p>{}</p><p>{}</p>",
        kind.status,
        problems.type_of(kind),
        " ".join((kind.__doc__ or kind.title).split()),
        _ADVICE.get(kind.status, "The detail of the answer says what to change."),
    )
    return _page(kind.title, format_html('{}<p><a href="{}">All kinds</a></p>', body, address_of("problems")))


_ADVICE = {
    400: "Each of the answer's errors names a field and what is allowed there. Change it, then send the request again.",
    401: "Send a valid API key in X-API-Key, or a token in Authorization: Bearer.",
    403: "Ask an administrator for the scope that the detail names, or for the right on the record.",
    404: "Check the id. What is another's looks as if it did not exist.",
    409: "Read the record again: its state does not allow this now, and the detail says what it allows.",
    412: "Read the record again, decide again, and send its new ETag.",
    422: "Choose a new Idempotency-Key for each request; keep it for the retries of that one.",
    429: "Wait as many seconds as Retry-After says.",
    500: "The fault is ours and was recorded. Give the operator the answer's X-Request-Id.",
    503: "Wait as many seconds as Retry-After says, then send the same request again.",
}


def _page(title: str, body: str) -> HttpResponse:
    return HttpResponse(
        format_html(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{}</title></head>'
            '<body><h1>{}</h1>{}<p><a href="{}">The API</a></p></body></html>',
            title,
            title,
            body,
            address_of("docs"),
        )
    )
