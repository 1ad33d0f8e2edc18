"""Pool keys in the console: list, page, and what can be done to them."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.access.console import actor_of
from apps.common.dynamodb import Page, Position
from apps.console import kept, render
from apps.console.actions import Action
from apps.console.details import Related, Subject
from apps.console.filters import choice_filter, day_filters, exact_filter
from apps.console.form_page import form_page
from apps.console.models import DisplayModel
from apps.console.render import column
from apps.console.store_admin import StoreAdmin, partial_of
from apps.custody import activation, destruction, exporting, reencryption, retirement
from apps.custody.reencryption import Suspect, SuspectKind
from apps.custody.retirement import Retired
from apps.keys import console as _overview
from apps.keys import lifecycle, models, services, slots, transfer
from apps.keys.display import (
    TONES,
    files_of,
    key_facts,
    leads_to,
    left_in_pools,
    messages_of,
    rotation_of,
    spared,
)
from apps.keys.forms import DestructionForm, ExportForm, ImportForm, TakingAwayForm
from apps.keys.records import KeyState, PoolKey
from qkdseal.kem import Suite

__all__ = ["PoolKeyAdmin", "_overview"]
Given = dict[str, Any]


def _retire(retire: Callable[..., Retired]) -> Callable[[HttpRequest, str, Given], SafeString | None]:
    def act(request: HttpRequest, key_id: str, given: Given) -> SafeString | None:
        """Take a key out of use, and say which job moves its files."""
        retired = retire(key_id, actor=actor_of(request), **given)
        if retired.job is None:
            return None
        job = render.link(request.user, "jobs.job", retired.job.job_id)
        return format_html("Job {} moves the files of {} to another key.", job, key_id)

    return act


def _asked(request: HttpRequest, approval_id: str) -> SafeString:
    link = render.link(request.user, "custody.approval", approval_id)
    return format_html("Approval {} waits for a second person.", link)


def _suspend(request: HttpRequest, key_id: str, given: Given) -> None:
    lifecycle.suspend(key_id, actor=actor_of(request), **given)


def _resume(request: HttpRequest, key_id: str, given: Given) -> None:
    lifecycle.resume(key_id, actor=actor_of(request), **given)


def _activate(request: HttpRequest, key_id: str, given: Given) -> SafeString:
    return _asked(request, activation.request(key_id, actor=actor_of(request), **given).approval_id)


def _destroy(request: HttpRequest, key_id: str, given: Given) -> SafeString:
    return _asked(request, destruction.request(key_id, actor=actor_of(request), **given).approval_id)


def _keep(request: HttpRequest, key_id: str, given: Given) -> None:
    lifecycle.cancel_destruction(key_id, actor=actor_of(request), **given)


def _export(request: HttpRequest, key_id: str, given: Given) -> SafeString:
    asked = given | {"suite": Suite(given["suite"])}
    return _asked(request, exporting.request(key_id, actor=actor_of(request), **asked).approval_id)


def _reencrypt(request: HttpRequest, key_id: str, given: Given) -> SafeString:
    job = reencryption.start(
        Suspect(SuspectKind.KEY, key_id), reason=given["reason"], actor=actor_of(request)
    )
    link = render.link(request.user, "jobs.job", job.job_id)
    return format_html("Job {} re-encrypts {} files.", link, f"{job.total:,}")


def _waits(obj: DisplayModel) -> bool:
    return isinstance(obj, models.PoolKey) and obj.destroy_after is not None and obj.state != "destroyed"


def _can_be_destroyed(obj: DisplayModel) -> bool:
    return bool(leads_to(KeyState.DESTROYED)(obj)) and not _waits(obj)


def _no_longer_seals(obj: DisplayModel) -> bool:
    return isinstance(obj, models.PoolKey) and obj.state not in {"active", "destroyed", "pre_active"}


_TAKEN: Given = {
    "form_class": TakingAwayForm, "facts": key_facts, "left": left_in_pools, "problems": spared
}  # fmt: skip
ACTIONS = (
    Action(
        name="rotate", label="Rotate…", title="Rotate pool keys", permission="rotate", button="Rotate",
        warning="Nothing new will be encrypted with these keys. Existing files stay readable. A job moves their files "
        "to other keys.",
        done="queued for rotation", destructive=False, act=_retire(retirement.rotate),
        offered=leads_to(KeyState.ROTATION_QUEUED), **_TAKEN,
    ),
    Action(
        name="suspend", label="Suspend…", title="Suspend pool keys", permission="suspend", button="Suspend",
        warning="These keys neither encrypt nor decrypt until they are resumed. Their files cannot be read meanwhile.",
        done="suspended", act=_suspend, offered=leads_to(KeyState.SUSPENDED), **_TAKEN,
    ),
    Action(
        name="resume", label="Resume…", title="Resume pool keys", permission="suspend", button="Resume",
        warning="These keys encrypt and decrypt again.", done="resumed", destructive=False, act=_resume,
        offered=lambda obj: isinstance(obj, models.PoolKey) and obj.state == KeyState.SUSPENDED, facts=key_facts,
    ),
    Action(
        name="activate", label="Activate…", title="Ask for a key's activation", permission="import", button="Ask",
        warning="An imported key may be known to who brought it. It encrypts once a second person allows it.",
        done="waiting for a second person", destructive=False, several=False, act=_activate,
        offered=leads_to(KeyState.ACTIVE), facts=key_facts,
    ),
    Action(
        name="reencrypt", label="Re-encrypt files…", title="Re-encrypt the files of a key",
        permission="custody.reencrypt_rotation", button="Re-encrypt",
        warning="Encrypts every file under this key again, bodies too, with new keys. For keys that may be compromised.",
        done="queued for re-encryption", destructive=False, several=False, act=_reencrypt,
        offered=_no_longer_seals, facts=key_facts,
    ),
    Action(
        name="export", label="Export…", title="Ask for a key's export", permission="export", button="Ask",
        warning="The key is sealed to the recipient's public key, once a second person allows it.",
        done="waiting for a second person", several=False, act=_export, form_class=ExportForm, facts=key_facts,
        offered=lambda obj: isinstance(obj, models.PoolKey) and obj.state != KeyState.DESTROYED,
    ),
    Action(
        name="keep", label="Cancel destruction…", title="Cancel a destruction", permission="destroy",
        button="Keep the key", warning="The key is kept. It can be destroyed later by a new request.",
        done="kept", destructive=False, several=False, act=_keep, offered=_waits, facts=key_facts,
    ),
    Action(
        name="revoke", label="Revoke…", title="Revoke pool keys", permission="revoke", button="Revoke permanently",
        warning="Marks these keys as compromised. This is permanent. A job moves their files to other keys.",
        done="revoked", act=_retire(retirement.revoke), offered=leads_to(KeyState.REVOKED), **_TAKEN,
    ),
    Action(
        name="destroy", label="Destroy…", title="Ask for a key's destruction", permission="destroy", button="Ask",
        warning="Once a second person allows it, a waiting window begins, in which it can be cancelled. Then the key "
        "is destroyed permanently. A key that a file needs is never destroyed.",
        done="waiting for a second person", several=False, act=_destroy, form_class=DestructionForm,
        offered=_can_be_destroyed, facts=key_facts,
    ),
)  # fmt: skip


@admin.register(models.PoolKey)
class PoolKeyAdmin(StoreAdmin):
    section, place = "Keys", 2
    empty_text = "The pool is empty. The platform refills it every few minutes."
    id_pattern = r"pk-[A-Za-z0-9._-]+"
    search_fields = ("key_id",)
    search_help_text = "Exact pool-key id"
    indexed = ("state",)
    list_filter = (choice_filter("state", KeyState), exact_filter("pool"), *day_filters())
    list_display = ("identity", "badge", "pool", "kind", "uses", "made", "used")
    record_actions = ACTIONS
    fieldsets = (
        (None, {"fields": ("badge_and_why", "in_pool", "destroyed")}),
        ("Key pair", {"fields": ("kind", "version", "brought", "digest", "wrapped")}),
        ("Use", {"fields": ("uses", "sealed_messages", "made", "used", "changed")}),
    )
    identity = column("key_id", render.code, "pool key")
    badge = column("state", lambda value: render.badge(value, TONES), "state")
    kind = column("suite", str, "suite")
    uses = column("usage", render.number, "uses")
    sealed_messages = column("messages", render.number, "of these, messages")
    brought = column("imported", lambda value: "from outside" if value else "by the platform", "made")
    digest = column("fingerprint", render.copied, "public key SHA-256")
    made = column("created_at", render.moment, "created")
    used = column("last_used_at", render.moment, "last used")
    changed = column("changed_at", render.moment, "state changed")
    wrapped = column("root_key_id", render.code, "private seed wrapped by")
    destroyed = column("destroy_after", render.moment, "destroyed after")

    @admin.display(description="state")
    def badge_and_why(self, obj: models.PoolKey) -> Any:
        return render.inline([render.badge(obj.state, TONES), render.name(obj.reason)])

    @admin.display(description="pool")
    def in_pool(self, obj: models.PoolKey) -> Any:
        return render.link(obj.viewer, "keys.pool", obj.pool, render.name(obj.pool))

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
        return slots.counted(services.find(object_id))

    def subject_of(self, obj: DisplayModel) -> Subject:
        return Subject(by="key", value=str(obj.pk))

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return the key's rotation with its job and successor, what needs it, and what was asked for it."""
        asked = render.list_link(
            request.user, "custody.approval", "Requests about this key", subject=str(obj.pk)
        )
        return [
            *rotation_of(request, str(obj.pk)),
            files_of(request, str(obj.pk)),
            messages_of(request, str(obj.pk)),
            Related(title="Approvals", note=asked),
        ]

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not self.allows(request, "import"):
            return []
        return [{"label": "Import a key", "url": reverse("admin:keys_poolkey_import")}]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(partial_of(_import_view, self))
        return [path("import/", view, name="keys_poolkey_import"), *super().get_urls()]


@kept.keeps_what_was_typed
def _import_view(model_admin: PoolKeyAdmin, request: HttpRequest) -> HttpResponse:
    """Import a key pair by its seed."""
    if not model_admin.allows(request, "import"):
        raise PermissionDenied

    def submit(form: ImportForm) -> HttpResponse:
        given = form.cleaned_data
        key = transfer.import_pair(
            given["seed"],
            suite=Suite(given["suite"]),
            pool=given["pool"],
            reason=given["reason"],
            actor=actor_of(request),
        )
        return HttpResponseRedirect(reverse("admin:keys_poolkey_change", args=[key.key_id]))

    context = model_admin.page_context(request, "Import a key")
    intro = "The key is pre-active: it encrypts nothing until a second person allows it."
    return form_page(
        request, context, ImportForm, submit, intro=intro, button="Import", back_url=model_admin.list_url()
    )
