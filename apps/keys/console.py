"""Key pools in the console, and what the overview and the search box say of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from apps.access.console import actor_of
from apps.common import clock
from apps.common.dynamodb import Page, Position
from apps.console import attention, dashboard, finding, kept, render
from apps.console.attention import Item
from apps.console.details import Related
from apps.console.form_page import differences, form_page
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin, partial_of
from apps.keys import models, pools, services
from apps.keys.forms import ChangePoolForm, PoolForm, PoolSettingsForm
from apps.keys.pool_records import Pool
from apps.keys.records import KeyState, PoolKey

MAY_VIEW = "keys.view_poolkey"
READ = 500  # active keys that the overview reads; of more it counts exactly, and says the age of these


@admin.register(models.Pool)
class PoolAdmin(StoreAdmin):
    section, place = "Keys", 1
    empty_text = "No pools yet. The platform makes the default one with its first key."
    id_pattern = r"[a-z0-9][a-z0-9-]{0,31}"
    list_display = ("identity", "about_it", "serving", "kind", "wanted", "made")
    fieldsets = (
        (None, {"fields": ("about_it", "serving", "other_names", "kind", "made", "maker")}),
        ("Kept", {"fields": ("wanted", "low", "days", "most_uses", "brought")}),
        ("Versions", {"fields": ("current", "minimum")}),
        ("Who", {"fields": ("using", "managing", "served")}),
        ("Labels", {"fields": ("labelled",)}),
    )
    identity = column("name", render.name, "pool")
    about_it = column("about", render.name, "description")
    serving = column("purposes", render.document, "for")
    other_names = column("aliases", render.document, "aliases")
    kind = column("suite", str, "suite")
    wanted = column("target", render.number, "target (active keys)")
    low = column("low_water", render.number, "low-water mark (active keys)")
    days = column("rotation_days", lambda value: f"{value:,} days", "rotated after")
    most_uses = column("max_uses", lambda value: f"{value:,} uses", "or after")
    brought = column("accepts_imports", lambda value: "yes" if value else "no", "accepts imported keys")
    made = column("created_at", render.moment, "created")
    maker = column("created_by", render.code, "created by")
    using = column("users", lambda value: render.document(value) if value else "everybody", "may encrypt")
    managing = column(
        "managers",
        lambda value: render.document(value) if value else "everybody with the right to manage keys",
        "may manage",
    )
    served = column("serves", render.document, "serves, unless they name another")
    labelled = column("labels", render.document, "labels")

    def name_of(self, obj: DisplayModel) -> str:
        return str(getattr(obj, "about", ""))

    def as_display(self, record: Pool) -> DisplayModel:
        return models.Pool.of(
            record,
            target=record.full,
            low_water=record.low,
            rotation_days=record.rotated_after_days,
            max_uses=record.rotated_after_uses,
            purposes=list(record.purposes),
            users=list(record.users),
            managers=list(record.managers),
            serves=list(record.serves),
            aliases=pools.known().aliases_of(record.name),
        )

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Pool]:
        del request, limit, position, filters  # all pools are one partition, read by one Query
        return Page(sorted(pools.read().pools.values(), key=lambda pool: pool.created_at, reverse=True))

    def find(self, request: HttpRequest, object_id: str) -> Pool:
        del request
        return pools.known().find(object_id)

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return how many active keys the pool has, and its newest keys."""
        pool = pools.known().find(str(obj.pk))
        active = services.active_count(pool)
        link = render.list_link(request.user, "keys.poolkey", "All keys of this pool", pool=pool.name)
        note = f"{active:,} of {pool.full:,} active keys."
        return [Related(title="Keys", note=note, more=link)]

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not self.allows(request, "manage"):
            return []
        return [{"label": "Make a pool", "url": reverse("admin:keys_pool_make")}]

    def buttons_for(self, request: HttpRequest, obj: DisplayModel) -> list[dict[str, Any]]:
        """Return the change of how the pool is kept."""
        if not self.allows(request, "manage"):
            return []
        url = reverse("admin:keys_pool_settings", args=[obj.pk])
        return [{"name": "settings", "label": "Change…", "destructive": False, "url": url}]

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("make/", guard(partial_of(_make_view, self)), name="keys_pool_make"),
            path("<str:name>/settings/", guard(partial_of(_settings_view, self)), name="keys_pool_settings"),
            *super().get_urls(),
        ]


@kept.keeps_what_was_typed
def _make_view(model_admin: PoolAdmin, request: HttpRequest) -> HttpResponse:
    """Make a pool."""
    if not model_admin.allows(request, "manage"):
        raise PermissionDenied

    def submit(form: PoolForm) -> HttpResponse:
        made = pools.make(actor=actor_of(request), **form.chosen())
        return HttpResponseRedirect(reverse("admin:keys_pool_change", args=[made.name]))

    context = model_admin.page_context(request, "Make a pool")
    intro = "A pool is filled within minutes, and refilled and rotated by itself from then on."
    return form_page(
        request, context, PoolForm, submit, intro=intro, button="Make", back_url=model_admin.list_url()
    )


@kept.keeps_what_was_typed
def _settings_view(model_admin: PoolAdmin, request: HttpRequest, name: str) -> HttpResponse:
    """Change how a pool is kept."""
    if not (model_admin.allows(request, "manage") and model_admin.has_view_permission(request)):
        raise PermissionDenied
    pool = pools.read().pools.get(name)
    if pool is None:
        raise Http404
    page = reverse("admin:keys_pool_change", args=[name])

    def submit(form: ChangePoolForm) -> HttpResponse:
        changes = differences(form.chosen(), PoolSettingsForm.of(pool), what="the pool")
        pools.change(name, reason=form.cleaned_data["reason"], actor=actor_of(request), **changes)
        return HttpResponseRedirect(page)

    context = model_admin.page_context(request, f"Change pool {name}")
    intro = "Takes effect at the next refill and the next rotation."
    return form_page(
        request, context, ChangePoolForm, submit,
        intro=intro, button="Change", back_url=page, changes=PoolSettingsForm.of(pool),
    )  # fmt: skip


def _by_name(request: HttpRequest, text: str) -> Iterator[finding.Hit]:
    del request
    known = pools.known()
    for name, pool in sorted(known.pools.items()):
        for shown in (name, *known.aliases_of(name)):
            if finding.begins(shown, text):
                url = reverse("admin:keys_pool_change", args=[name])
                yield finding.Hit(url=url, label=shown, kind="key pool", detail=pool.about)


finding.register(finding.Names(permission="keys.view_pool", find=_by_name))


def _active() -> list[PoolKey]:
    return services.keys_page(limit=READ, state=KeyState.ACTIVE).records


def _levels(active: Sequence[PoolKey]) -> Iterator[tuple[Pool, int, datetime | None]]:
    """Each pool, how many active keys of its suite it has, and when the oldest was made."""
    counted: Counter[tuple[str, str]] = Counter()
    oldest: dict[tuple[str, str], datetime] = {}
    for key in active:
        place = (key.pool, key.suite)
        counted[place] += 1
        oldest[place] = min(key.created_at, oldest.get(place, key.created_at))
    for pool in pools.known().pools.values():
        place = (pool.name, pool.suite)
        count = counted[place] if len(active) < READ else services.active_count(pool)
        yield pool, count, oldest.get(place)


def _pool_panel(request: HttpRequest) -> dashboard.Content:
    rows = [
        (
            render.link(request.user, "keys.pool", pool.name, render.name(pool.name)),
            render.badge(f"{count:,} of {pool.full:,} active", _tone(pool, count)),
            f"oldest {render.duration((clock.now() - oldest).total_seconds())}, rotated after {pool.rotated_after_days} d"
            if oldest
            else "nothing can be encrypted with it",
        )
        for pool, count, oldest in _levels(dashboard.shared(request, "active keys", _active))
    ]
    note = "" if rows else "The pool is empty. The platform refills it every few minutes."
    return dashboard.Content(columns=("Pool", "Keys", "Age"), rows=rows, note=note)


def _tone(pool: Pool, count: int) -> Tone:
    return Tone.BAD if not count else Tone.WAIT if count < pool.low else Tone.GOOD


def _short_pools(request: HttpRequest) -> Iterator[Item]:
    """Pools without a key, or below their mark; the platform without any pool."""
    levels = list(_levels(dashboard.shared(request, "active keys", _active)))
    if not levels:
        yield Item(text="There is no key pool yet: nothing can be encrypted.", tone=Tone.BAD)
    for pool, count, _ in levels:
        if count < pool.low:
            yield Item(
                text=f"Pool {pool.name} has {count:,} active keys, fewer than its low-water mark {pool.low:,}."
                if count
                else f"Pool {pool.name} has no active key: nothing can be encrypted with it.",
                tone=_tone(pool, count),
                url=reverse("admin:keys_pool_change", args=[pool.name]),
            )


dashboard.register(
    dashboard.Panel(
        name="pool", title="Key pools", permission=MAY_VIEW, load=_pool_panel, place=4, width="third",
        list_url="admin:keys_poolkey_changelist",
    )
)  # fmt: skip
attention.register(attention.Source(permission=MAY_VIEW, load=_short_pools))
