"""What a case does to its link at the console: quarantine, and the release of it."""

from typing import Any

from django.http import HttpRequest

from apps.access.console import actor_of
from apps.cases import holding, models
from apps.cases.records import CaseStatus
from apps.common.errors import NotFound
from apps.console import render
from apps.console.actions import Action, Facts
from apps.console.models import DisplayModel
from apps.links import services as links
from apps.sessions import stock

MAY_MANAGE_LINKS = "links.manage_link"


def _quarantine(request: HttpRequest, case_id: str, given: dict[str, Any]) -> None:
    holding.quarantine_link(case_id, reason=given["reason"], actor=actor_of(request))


def _release(request: HttpRequest, case_id: str, given: dict[str, Any]) -> None:
    holding.release_link(case_id, reason=given["reason"], actor=actor_of(request))


def _is_held(obj: DisplayModel) -> bool:
    try:
        return isinstance(obj, models.Case) and holding.holds_link(obj.link, case_id=str(obj.pk))
    except NotFound:
        return False


def _may_be_held(obj: DisplayModel) -> bool:
    return isinstance(obj, models.Case) and obj.status != CaseStatus.CLOSED and not _is_held(obj)


def _facts(request: HttpRequest, obj: DisplayModel) -> Facts:
    if not isinstance(obj, models.Case):
        return ()
    told = [
        ("Case", render.words(obj.status)),
        ("Link", render.link(request.user, "links.link", obj.link, render.name(obj.link))),
    ]
    try:
        found = links.find(obj.link)
    except NotFound:
        return told
    holder = render.link(request.user, "cases.case", found.case_id) if found.case_id else render.NONE
    return [*told, ("State of the link", render.words(found.state)), ("Held by", holder)]


def _held_back(_request: HttpRequest, chosen: list[DisplayModel]) -> list[str]:
    """Say how many quantum keys are held back with these links, and how many are left."""
    ready, held = stock.stock().by_link, {obj.link for obj in chosen if isinstance(obj, models.Case)}
    kept = sum(count for link, count in ready.items() if link in held)
    left = sum(ready.values()) - kept
    told = [f"Ready quantum keys held back: {kept:,}. Left in the platform's stock: {left:,}."]
    return told if left else [*told, "Nothing can be encrypted until other links have keys."]


HOLDING = (
    Action(
        name="quarantine", label="Quarantine the link…", title="Quarantine the link of cases", permission="manage",
        button="Quarantine", done="acted on: link quarantined", act=_quarantine, facts=_facts, offered=_may_be_held,
        warning="No session is run over the link until the case releases it. The keys made over it are held back "
        "meanwhile: nothing is encrypted with them, and no application collects them. What is encrypted stays readable.",
        left=_held_back,
    ),
    Action(
        name="release", label="Release the link…", title="Release the link of cases", permission="manage",
        button="Release", done="acted on: link released", act=_release, facts=_facts, offered=_is_held,
        destructive=False,
        warning="Sessions are run over the link again, and the keys made over it are used again.",
    ),
)  # fmt: skip
"""They need MAY_MANAGE_LINKS besides what cases need."""
