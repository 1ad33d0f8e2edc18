"""Quotas: how much a principal may use in a calendar month (UTC), counted from the trail by the rollups.

Throttles say how fast, quotas how much. What was used is read at most once in ``SEEN_SECONDS`` by each process, and only
of principals that have a quota; so it lags by that and by what the rollups are behind the trail, seconds as a rule. What
begins below a quota is finished: it is exceeded by what comes within the lag, and by one request.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from pynamodb.exceptions import PynamoDBException

from apps.access import principals
from apps.access.records import Principal, PrincipalNotFound
from apps.common import clock
from apps.common.caching import TimedCache
from apps.common.errors import Forbidden
from apps.metrics.catalog import ENCRYPTED_BYTES, ENCRYPTIONS, JOBS_QUEUED, Metric
from apps.rollups import services as rollups
from apps.rollups.records import Period

SEEN_SECONDS = 60.0
MOST = 10**15  # no quota is larger: a petabyte
NEAR = 0.8  # of what is allowed: from there on callers are warned
log = logging.getLogger(__name__)


class Quota(StrEnum):
    """What is counted in a month."""

    KEYS = "keys"  # quantum keys: one for a file, a message, a data key, or a batch
    FILES = "files"
    BYTES = "bytes"  # of files
    JOBS = "jobs"


FILE_SPENDS = frozenset({Quota.KEYS, Quota.FILES, Quota.BYTES})
"""What a file uses."""
ABOUT = {
    Quota.KEYS: "quantum keys used: one for a file, a message, a data key, or a whole batch",
    Quota.FILES: "files encrypted, versions among them",
    Quota.BYTES: "bytes of these files",
    Quota.JOBS: "jobs started",
}
_COUNTED: Mapping[Quota, tuple[Metric, bool]] = {  # and whether values are added up, or counted
    Quota.KEYS: (ENCRYPTIONS, False),
    Quota.FILES: (ENCRYPTED_BYTES, False),
    Quota.BYTES: (ENCRYPTED_BYTES, True),
    Quota.JOBS: (JOBS_QUEUED, True),
}


class QuotaUsedUp(Forbidden):
    """The caller has used what it may use in this month. An administrator can allow more; else it ends with the month."""

    type = "quota-used-up"
    title = "Nothing is left of a quota"


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used of one thing, and how much may be; None: as much as wanted."""

    quota: Quota
    used: int
    allowed: int | None

    @property
    def remaining(self) -> int | None:
        """What is left; None where there is no quota."""
        return None if self.allowed is None else max(0, self.allowed - self.used)

    @property
    def is_near(self) -> bool:
        """Return whether most of it is used."""
        return self.allowed is not None and self.used >= NEAR * self.allowed


@dataclass(frozen=True, slots=True)
class Month:
    """What a principal has used since a month began, as counted at a moment."""

    principal: str
    begins: datetime
    ends: datetime
    counted_at: datetime
    usages: tuple[Usage, ...]

    def of(self, quota: Quota) -> Usage | None:
        """The usage of one thing, where it was asked for."""
        return next((usage for usage in self.usages if usage.quota is quota), None)


_months = TimedCache[Month](max_items=1024, ttl_seconds=SEEN_SECONDS)


def forget() -> None:
    """Read again what everybody has used."""
    _months.clear()


def allowed(principal: Principal) -> dict[Quota, int]:
    """How much a principal may use: what it was given itself, else the most that a group of its was, else QUOTAS."""
    found = {Quota(name): int(most) for name, most in settings.QUOTAS.items()}
    groups: dict[Quota, int] = {}
    for group in principals.find_all(*principal.groups).values() if principal.groups else ():
        for name, most in (group.quotas or {}).items():
            groups[Quota(name)] = max(int(most), groups.get(Quota(name), 0))
    return found | groups | {Quota(name): int(most) for name, most in (principal.quotas or {}).items()}


def month_of(principal: Principal) -> Month:
    """All that a principal has used in this month: three Queries."""
    return _counted(principal.principal_id, allowed(principal), tuple(Quota))


def check(principal: Principal, spends: Collection[Quota]) -> Month | None:
    """Refuse what would use more than is allowed; returns what is left, or None where there is no quota.

    Where the counts cannot be had the request goes on: a quota must not be what stops everybody.

    Raises:
        QuotaUsedUp: says what is used, and what is allowed.
    """
    return _check(principal.principal_id, lambda: principal, spends)


def check_owner(owner: str, spends: Collection[Quota]) -> None:
    """The same for what a group or somebody else is to own; people who are at the console alone are not limited."""
    with suppress(PrincipalNotFound):
        _check(owner, lambda: principals.find(owner), spends)


def _check(name: str, find: Callable[[], Principal], spends: Collection[Quota]) -> Month | None:
    try:
        month = _months.get(name, lambda: _limited(find()))
        if clock.now() >= month.ends:
            _months.forget(name)
            month = _months.get(name, lambda: _limited(find()))
    except (BotoCoreError, ClientError, PynamoDBException) as error:
        log.warning("quotas are not checked: %s", type(error).__name__)
        return None
    for usage in month.usages:
        if usage.quota in spends and usage.remaining == 0:
            raise _used_up(usage, month)
    return month if month.usages else None


def _limited(principal: Principal) -> Month:
    month = limited_month(principal)
    for usage in month.usages:
        if usage.is_near:
            log.warning(
                "%s has used %d of %s %s this month", month.principal, usage.used, usage.allowed, usage.quota
            )
    return month


def limited_month(principal: Principal) -> Month:
    """What a principal has used, as counted now, of what is limited: nothing is read of who has no quota."""
    limits = allowed(principal)
    return _counted(principal.principal_id, limits, tuple(limits))


def _counted(principal_id: str, limits: Mapping[Quota, int], wanted: Collection[Quota]) -> Month:
    moment = clock.now()
    begins = Period.DAY.start_of(moment).replace(day=1)
    ends = begins.replace(year=begins.year + begins.month // 12, month=begins.month % 12 + 1)
    sums: dict[Metric, tuple[int, float]] = {}
    for metric in {_COUNTED[quota][0]: None for quota in wanted}:
        points = rollups.points(metric, period=Period.DAY, since=begins, until=moment, actor=principal_id)
        sums[metric] = sum(point.count for point in points), sum(point.total for point in points)
    usages = []
    for quota in wanted:
        metric, is_summed = _COUNTED[quota]
        usages.append(Usage(quota, int(sums[metric][is_summed]), limits.get(quota)))
    return Month(principal_id, begins, ends, moment, tuple(usages))


def _used_up(usage: Usage, month: Month) -> QuotaUsedUp:
    until = month.ends.date().isoformat()
    error = QuotaUsedUp(
        f"{usage.used:,} of {usage.allowed:,} {usage.quota} are used that {month.principal} may use in a month. "
        f"Ask an administrator for more, or wait until {until}."
    )
    error.members = {
        "quota": usage.quota.value,
        "used": usage.used,
        "allowed": usage.allowed,
        "resets_at": month.ends.isoformat().replace("+00:00", "Z"),
    }
    return error
