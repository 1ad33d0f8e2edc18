"""The pages of the documentation that are made from what the apps declare."""

from collections.abc import Callable, Iterable, Sequence

from apps.access.roles import Role, Scope, all_scopes, scopes_of
from apps.alerts import conditions as alerts
from apps.audit.records import Event
from apps.common.declarations import members, modules_named
from apps.common.environment import Setting, all_settings
from apps.common.guide import GUIDE
from apps.common.routes import api_routes
from apps.common.scheduling import Schedule, parts_of
from apps.exports import analytics
from apps.files import diagram as files
from apps.jobs import diagram as jobs
from apps.metrics import pages as metrics
from apps.notices import kinds as notices
from qkdplatform import trail_page

MADE = "Made from the apps' declarations by `manage.py pages`; a test compares.\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _page(title: str, lead: str, body: str) -> str:
    return f"# {title}\n\n{lead} {MADE}\n{body}"


def events() -> str:
    """Write the page of audit events."""
    found = members(Event, modules_named("trail"))
    rows = [[f"`{value}`", event.meaning] for value, event in sorted(found.items())]
    lead = "What the audit trail records. Each app declares its events in `trail.py`."
    return _page("Audit events", lead, _table(["Event", "Meaning"], rows))


def scopes() -> str:
    """Write the page of scopes, and who holds them."""
    rows = [
        [f"`{value}`", scope.meaning, *("yes" if role in scope.roles else "" for role in Role)]
        for value, scope in sorted(all_scopes().items())
    ]
    lead = "What callers of the API may do, and which roles may. Each app declares its scopes in `scopes.py`."
    return _page("Scopes and roles", lead, _table(["Scope", "Allows to", *Role], rows))


def settings() -> str:
    """Write the page of settings."""
    lead = (
        "Every setting is a variable of the environment. Each app declares its settings in `conf.py`. In a default,"
        " `{stage}` stands for `QKD_STAGE`, `{local_dir}` for `LOCAL_DIR`."
    )
    sections: dict[str, list[Sequence[str]]] = {}
    for setting in all_settings():
        row = [f"`{setting.name}`", setting.type, _bounds(setting), _default(setting), setting.about]
        sections.setdefault(setting.section, []).append(row)
    columns = ["Variable", "Type", "Bounds", "Default", "Meaning"]
    body = "\n".join(f"## {title}\n\n{_table(columns, rows)}" for title, rows in sorted(sections.items()))
    return _page("Settings", lead, body)


def _bounds(setting: Setting) -> str:
    if setting.low is None:
        return ""
    return f"≥ {setting.low:,}" if setting.high is None else f"{setting.low:,} to {setting.high:,}"


def _default(setting: Setting) -> str:
    if setting.default is None:
        required = "**must be set**" + (", secret" if setting.secret else "")
        return required if setting.local is None else f"{required}; local stage: `{setting.local}`"
    default = f"`{setting.default}`" if setting.default else "empty"
    return default if setting.local is None else f"{default}; local stage: `{setting.local}`"


def urls() -> str:
    """Write the page of the API's addresses: who may call each, and about whose records."""
    rows = []
    for route in api_routes():
        view = getattr(route.callback, "cls")  # noqa: B009 - DRF's, unknown to Django's types
        for method, declared in view.required_scopes.items():
            needed: frozenset[Scope] = frozenset([declared] if isinstance(declared, Scope) else declared)
            names = ", ".join(f"`{name}`" for name in sorted(needed)) or "open to all"
            cells = [_reach(role, needed, owned=view.is_owned()) for role in Role]
            rows.append([method, f"`/{route.pattern}`", names, *cells])
    lead = (
        "The addresses of the API, the scope that each needs, and which roles have it: for records of their own and "
        "their groups' (own), of everybody (all), or for what belongs to nobody (yes). A credential may be limited to "
        "fewer scopes; a file may be granted to who does not own it. Each app declares its own in `urls.py`."
    )
    rows.sort(key=lambda row: row[1].strip("`"))
    return _page(
        "Addresses", lead, _table(["Method", "Address", "Scope", *(role.value for role in Role)], rows)
    )


def _reach(role: Role, needed: frozenset[Scope], *, owned: bool) -> str:
    """Whose records a role may use an operation on."""
    held = scopes_of(role)
    if not needed <= held:
        return ""
    if not owned or not needed:
        return "yes"
    return "all" if "owners:all" in held else "own"


def api() -> str:
    """Write the guide of the API, which is also on top of its page."""
    return _page("The API", "Also at `/api/docs`, with every operation.", GUIDE)


def schedules() -> str:
    """Write the page of schedules, and what runs on them."""
    body = "\n".join(
        f"## {schedule}\n\n{schedule.meaning}\n\n"
        + "".join(f"{number}. {part.name}\n" for number, part in enumerate(parts_of(schedule), 1))
        for schedule in Schedule
    )
    lead = (
        "What runs by itself, in this order; `zappa_settings.json` has the intervals. A part runs even when another"
        " fails. Each app declares its parts in `schedules.py`."
    )
    return _page("Schedules", lead, body)


PAGES: dict[str, Callable[[], str]] = {
    "docs/api.md": api,
    "docs/events.md": events,
    "docs/scopes.md": scopes,
    "docs/settings.md": settings,
    "docs/urls.md": urls,
    "docs/schedules.md": schedules,
    "docs/recorded.md": trail_page.page,
    "docs/alerts.md": alerts.page,
    "docs/analytics.md": analytics.page,
    "docs/notices.md": notices.page,
    "docs/notices.schema.json": notices.schema_page,
    "docs/metrics.md": metrics.page,
    "docs/grafana-dashboard.json": metrics.grafana,
    "docs/file-states.md": files.page,
    "docs/job-states.md": jobs.page,
}
