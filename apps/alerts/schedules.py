"""The alerts' parts of the schedules."""

from apps.access import near_quotas
from apps.access.quotas import Month, Usage
from apps.alerts import services
from apps.alerts.conditions import QUOTA_NEAR, Noticed
from apps.common import clock
from apps.common.scheduling import Part, Schedule


def _near(month: Month, usage: Usage) -> Noticed:
    detail = {"principal": month.principal, "quota": usage.quota.value, "month": f"{month.begins:%Y-%m}"}
    counts = {"used": usage.used, "allowed": usage.allowed, "resets_at": clock.as_text(month.ends)}
    return Noticed(QUOTA_NEAR, " ".join(detail.values()), detail | counts)


def look_at_quotas() -> int:
    """Raise an alert of each quota that is nearly used up in this month, and end those of what is not any more.

    Looked for here and not where quotas are checked, so that no request waits for it; returns how many principals.
    """
    found: dict[str, set[str]] = {}

    def looked(month: Month) -> None:
        near = [_near(month, usage) for usage in month.usages if usage.is_near]
        found[month.principal] = {one.about for one in near}
        for one in near:
            services.raise_alert(one)

    def is_over(about: str) -> bool:
        principal = about.split(maxsplit=1)[0]
        return principal in found and about not in found[principal]

    try:
        return near_quotas.each_month(looked)
    finally:  # whoever could not be looked at keeps its alert
        services.end_where(QUOTA_NEAR, is_over)


PARTS = [
    Part(Schedule.SWEEP, 810, "stuck things looked for", services.look),
    Part(Schedule.SWEEP, 815, "quotas looked at", look_at_quotas),
    Part(Schedule.SWEEP, 820, "alerts sent", services.send_due),
]
