"""The key pool in the console: list, detail, rotation and revocation."""

import hashlib
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from apps.access.console import actor_of
from apps.common.dynamodb import Page, Position
from apps.console import dashboard, render
from apps.console.confirmation import ReasonForm, ask_then_act
from apps.console.filters import choice_filter
from apps.console.models import DisplayModel
from apps.console.render import Tone, column
from apps.console.store_admin import StoreAdmin
from apps.custody import retirement
from apps.custody.retirement import Retired
from apps.keys import models, services
from apps.keys.records import TARGETS, KeyState, PoolKey

TONES = {
    KeyState.PRE_ACTIVE: Tone.INFO,
    KeyState.ACTIVE: Tone.GOOD,
    KeyState.SUSPENDED: Tone.WAIT,
    KeyState.ROTATION_QUEUED: Tone.WAIT,
    KeyState.EXPIRED: Tone.MUTED,
    KeyState.REVOKED: Tone.BAD,
    KeyState.DESTROYED: Tone.MUTED,
}
OFFERED = {"rotate": KeyState.ROTATION_QUEUED, "revoke": KeyState.REVOKED}


class TakingAwayForm(ReasonForm):
    """Asks for the reason, and whether the pool may be left with too few keys."""

    below_low_water = forms.BooleanField(
        required=False,
        label="Even below the low-water mark",
        help_text="If a pool would keep too few active keys, take them away all the same. It is refilled at once.",
    )


@admin.register(models.PoolKey)
class PoolKeyAdmin(StoreAdmin):
    section, place = "Encryption", 1
    empty_text = "The pool is empty. The platform refills it every few minutes."
    search_fields = ("key_id",)
    search_help_text = "Exact pool-key id"
    list_filter = (choice_filter("state", KeyState),)
    list_display = ("identity", "badge", "kind", "uses", "made", "used")
    actions = ("rotate", "revoke")
    fieldsets = (
        (None, {"fields": ("badge_and_why", "related")}),
        ("Key pair", {"fields": ("kind", "digest", "wrapped")}),
        ("Use", {"fields": ("uses", "made", "used", "changed")}),
    )
    identity = column("key_id", render.short, "pool key")
    badge = column("state", lambda value: render.badge(value, TONES), "state")
    kind = column("suite", str, "suite")
    uses = column("usage", render.number, "uses")
    digest = column("fingerprint", render.code, "public key SHA-256")
    made = column("created_at", render.moment, "created (UTC)")
    used = column("last_used_at", render.moment, "last used (UTC)")
    changed = column("changed_at", render.moment, "state changed (UTC)")
    wrapped = column("root_key_id", render.code, "private seed wrapped by")

    @admin.display(description="state")
    def badge_and_why(self, obj: models.PoolKey) -> Any:
        return render.inline([render.badge(obj.state, TONES), obj.reason])

    @admin.display(description="related")
    def related(self, obj: models.PoolKey) -> Any:
        return render.inline([render.list_link(obj.viewer, "audit.entry", "Audit entries", key=obj.pk)])

    def as_display(self, record: PoolKey) -> DisplayModel:
        return models.PoolKey.of(record, fingerprint=hashlib.sha256(record.public_key).hexdigest())

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[PoolKey]:
        del request  # a pool key belongs to nobody
        state = KeyState(filters["state"]) if "state" in filters else None
        return services.keys_page(limit=limit, position=position, state=state)

    def find(self, request: HttpRequest, object_id: str) -> PoolKey:
        del request
        return services.find(object_id)

    def offers(self, obj: DisplayModel, action: str) -> bool:
        return isinstance(obj, models.PoolKey) and OFFERED.get(action) in TARGETS[KeyState(obj.state)]

    def has_rotate_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "rotate")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self.allows(request, "revoke")

    @admin.action(description="Rotate…", permissions=["rotate"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[models.PoolKey]) -> HttpResponse | None:
        return ask_then_act(
            self,
            request,
            queryset,
            lambda key_id, given: _retire(request, retirement.rotate, key_id, given),
            title="Rotate pool keys",
            warning="Nothing new will be encrypted with these keys. Existing files stay readable. "
            "A job moves their files to other keys.",
            button="Rotate",
            done="queued for rotation",
            form_class=TakingAwayForm,
        )

    @admin.action(description="Revoke…", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[models.PoolKey]) -> HttpResponse | None:
        return ask_then_act(
            self,
            request,
            queryset,
            lambda key_id, given: _retire(request, retirement.revoke, key_id, given),
            title="Revoke pool keys",
            warning="Marks these keys as compromised. This is permanent. A job moves their files to other keys.",
            button="Revoke permanently",
            done="revoked",
            form_class=TakingAwayForm,
        )


def _retire(request: HttpRequest, retire: Callable[..., Retired], key_id: str, given: dict[str, Any]) -> None:
    """Take a key out of use, and say which job moves its files."""
    retired = retire(key_id, actor=actor_of(request), **given)
    if retired.job is not None:
        job = render.link(request.user, "jobs.job", retired.job.job_id, retired.job.job_id)
        messages.info(request, format_html("Job {} moves the files of {} to another key.", job, key_id))


def _pool(_request: HttpRequest) -> dashboard.Content:
    counts, listed_at = services.counts(), reverse("admin:keys_poolkey_changelist")
    rows = [
        (
            render.badge(state, TONES),
            render.number(count),
            render.url_link(f"{listed_at}?state={state}", "Show"),
        )
        for state, count in counts.items()
        if count
    ]
    return dashboard.Content(
        columns=("State", "Keys", ""), rows=rows, note="" if rows else PoolKeyAdmin.empty_text
    )


dashboard.register(
    dashboard.Panel(
        name="pool", title="Key pool", permission="keys.view_poolkey", load=_pool, place=3, width="third",
        list_url="admin:keys_poolkey_changelist",
    )
)  # fmt: skip
