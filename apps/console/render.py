"""Values as HTML: badges, rates, sizes, times, ids, documents, links. Everything is escaped here."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.urls import reverse
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

NONE = escape("\N{EN DASH}")
# Control, format (bidi, zero-width, BOM), surrogates, and the separators of lines and paragraphs
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SPOKEN = {
    "pre_active": "pre-active",
    "rotation_queued": "rotating",
    "recalling": "being restored",
    "awaiting_body": "awaiting the encrypted body",
}  # names that do not read well word by word
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


class Tone(StrEnum):
    """How a value is meant; the style sheet gives each tone a colour."""

    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"
    INFO = "info"
    MUTED = "muted"


def words(value: str) -> str:
    """Return a name of the code, like ``awaiting_upload``, as people read it."""
    return _SPOKEN.get(str(value)) or str(value).replace("_", " ").replace("qber", "QBER").replace(
        "api key", "API key"
    )


def heading(value: str) -> str:
    """Return a name of the code as people read it, capitalised."""
    text = words(value)
    return text[:1].upper() + text[1:]


def badge(value: str, tones: Mapping[Any, Tone] | Tone) -> SafeString:
    """Render a state in its colour and in words."""
    tone = tones if isinstance(tones, Tone) else tones.get(value, Tone.MUTED)
    return format_html('<span class="badge tone-{}">{}</span>', tone, words(value))


def rate(value: float, *, threshold: float | None = None, digits: int = 2) -> SafeString:
    """Render a fraction in percent: bad above the threshold, a warning from three quarters of it."""
    tone = None
    if threshold is not None:
        tone = Tone.BAD if value > threshold else Tone.WAIT if value > 0.75 * threshold else Tone.GOOD
    return format_html(
        '<span class="number{}">{}&#8239;%</span>',
        f" text-{tone}" if tone else "",
        f"{100 * value:.{digits}f}",
    )


def number(value: float | None) -> SafeString:
    """Render a count with separated thousands."""
    return format_html('<span class="number">{}</span>', NONE if value is None else f"{value:,}")


def size(value: int | None) -> SafeString:
    """Render a size in the unit that reads best."""
    if value is None:
        return format_html('<span class="number">{}</span>', NONE)
    scaled, unit = float(value), 0
    while scaled >= 1024 and unit < len(_UNITS) - 1:
        scaled, unit = scaled / 1024, unit + 1
    text = f"{value:,}" if unit == 0 else f"{scaled:.1f}"
    return format_html('<span class="number" title="{} bytes">{} {}</span>', f"{value:,}", text, _UNITS[unit])


def moment(value: datetime | None) -> SafeString:
    """Render a time in UTC, to the second; the title has the microseconds. A script turns it into the viewer's zone."""
    if value is None:
        return NONE
    utc = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        utc.isoformat(),
        utc.strftime("%Y-%m-%d %H:%M:%S.%f UTC"),
        utc.strftime("%Y-%m-%d %H:%M:%S"),
    )


def short(value: str | None) -> SafeString:
    """Render an id where there is little room: it is cut by its column's width only, and found and copied whole."""
    return format_html('<code class="id clip" title="{}">{}</code>', value, value) if value else NONE


def code(value: str | None) -> SafeString:
    """Render an id, a digest or a path, which is read character by character."""
    return format_html('<code class="id whole">{}</code>', value) if value else NONE


def copied(value: str | None) -> SafeString:
    """Render an id as a whole, with a button that copies it."""
    return format_html("{}{}", code(value), copy_button(value)) if value else NONE


def copy_button(value: str) -> SafeString:
    """Render the button that copies a text."""
    return format_html(
        '<button type="button" class="copy" data-copy="{}" title="Copy"><span class="visually-hidden">'
        "Copy {}</span></button>",
        value,
        value,
    )


def name(value: str | None) -> SafeString:
    """Render a name that people chose, isolated from the text around it; characters that hide or turn text are spelt out."""
    if not value:
        return NONE
    return format_html('<bdi class="name">{}</bdi>', spelt(value))


def spelt(text: str) -> str:
    r"""Return a text with its unseen characters spelt out.

    >>> spelt("a\u202egpj.exe")
    'a\\u202egpj.exe'
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _UNSEEN
        else character
        for character in text
    )


def link(
    viewer: AbstractBaseUser | AnonymousUser, target: str, pk: str | None, text: str | None = None
) -> SafeString:
    """Link to a record of ``target`` (``app.model``); users who may not open it see its id alone."""
    if not pk:
        return NONE
    label = text or short(pk)
    if not may_view(viewer, target):
        return format_html("{}", label)
    app, model = target.split(".")
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{app}_{model}_change", args=[pk]), label)


def list_link(viewer: AbstractBaseUser | AnonymousUser, target: str, text: str, **filters: str) -> SafeString:
    """Link to the filtered list of ``target``; users who may not see it get a dash."""
    if not may_view(viewer, target):
        return NONE
    app, model = target.split(".")
    url = reverse(f"admin:{app}_{model}_changelist")
    return format_html('<a href="{}?{}">{}</a>', url, urlencode(filters), text)


def url_link(url: str, text: str) -> SafeString:
    """Link to a page that the user may open."""
    return format_html('<a href="{}">{}</a>', url, text)


def may_view(viewer: AbstractBaseUser | AnonymousUser, target: str) -> bool:
    """Return whether a user may open records of ``target``."""
    app, model = target.split(".")
    return bool(getattr(viewer, "has_perm", None) and viewer.has_perm(f"{app}.view_{model}"))  # type: ignore[union-attr]


def document(value: Any) -> SafeString:
    """Render a JSON document: mappings as definition lists, lists of mappings as tables."""
    if isinstance(value, Mapping):
        rows = ((heading(name), document(item)) for name, item in value.items())
        return _definitions(rows) if value else NONE
    if isinstance(value, list | tuple):
        return _sequence(value)
    return format_html("{}", _plain(value))


def _plain(value: Any) -> str:
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else spelt(str(value))


def _definitions(rows: Any) -> SafeString:
    return format_html('<dl class="document">{}</dl>', format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows))


def _sequence(values: Sequence[Any]) -> SafeString:
    if values and all(isinstance(value, Mapping) for value in values):
        columns = list(dict.fromkeys(name for value in values for name in value))
        return table(
            [heading(name) for name in columns],
            [[document(value.get(name)) for name in columns] for value in values],
        )
    return format_html_join(", ", "{}", ((document(value),) for value in values)) if values else NONE


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> SafeString:
    """Render a small table; cells are escaped unless they are HTML already."""
    head = format_html_join("", '<th scope="col">{}</th>', ((column,) for column in columns))
    body = format_html_join(
        "", "<tr>{}</tr>", ((format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows)
    )
    return format_html(
        '<div class="scrolls" tabindex="0"><table class="document"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        head,
        body,
    )


def bars(amounts: Sequence[tuple[str, int, str]]) -> SafeString:
    """Draw amounts (label, amount, meaning) on a common scale. The widths are attributes, as CSP allows no style."""
    largest = max((amount for _, amount, _ in amounts), default=0) or 1
    rows = (
        (label, f"{amount:,}", f"{max(100 * amount / largest, 0.4 if amount else 0):.2f}%", meaning)
        for label, amount, meaning in amounts
    )
    return format_html(
        '<div class="scrolls" tabindex="0"><table class="bars"><tbody>{}</tbody></table></div>',
        format_html_join(
            "",
            '<tr><th scope="row">{}</th><td class="number">{}</td><td class="bar"><svg width="100%" height="10" '
            'aria-hidden="true"><rect width="{}" height="10" rx="2"/></svg></td><td class="meaning">{}</td></tr>',
            rows,
        ),
    )


def progress(done: int, total: int) -> SafeString:
    """Render how much of the total is done."""
    return format_html(
        '<progress value="{}" max="{}"></progress> <span class="number">{} / {}</span>',
        done, max(total, 1), f"{done:,}", f"{total:,}",
    )  # fmt: skip


def column(name: str, show: Callable[[Any], Any], label: str) -> Callable[[Any, Any], Any]:
    """Make a column or detail field of a ModelAdmin: the model's field ``name``, rendered by ``show``."""

    def display(_model_admin: Any, obj: Any) -> Any:
        return show(getattr(obj, name))

    display.short_description = label  # type: ignore[attr-defined]  # as admin.display sets it
    return display


def chance(p: float) -> str:
    """Return a probability in words that no rounding makes a certainty of."""
    if p < 1e-300:
        return "p < 1e-300"
    return f"p = {p:.3f}" if p >= 0.001 else f"p = {p:.1e}"


def duration(seconds: float | None) -> str:
    """Return a span of time in its largest unit and the next one.

    >>> duration(82_826), duration(82_860), duration(59)
    ('23 h', '23 h 1 min', '59 s')
    """
    if seconds is None:
        return str(NONE)
    left = int(seconds)
    parts: list[tuple[int, str]] = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "0 s"


def inline(parts: Sequence[Any]) -> SafeString:
    """Render links and remarks side by side, without those that the user may not see."""
    return format_html_join(" · ", "{}", ((part,) for part in parts if part and part != NONE)) or NONE
