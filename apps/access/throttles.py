"""Throttles: so many requests a principal and scope, over all instances, for a fraction of a call each (E4, I11).

Requests are counted in windows of a second (the burst) and of a minute (the steady rate), both counters of one row. An
instance takes *lots* of tokens: one ``UpdateItem`` adds the lot to both counters if that leaves them within the limits,
and gives back the totals. A lot is what the instance needed in the second before, at least one token, and ends with its
second:

- At rate r of one instance that costs about one call in a second, two where the rate grows: 2/r a request, so at most
  0.1 from 20 requests/s up; below, at most one call a request. Where less is left than a lot, one call more.
- Within a window no more is admitted than its limit, whatever instances freeze or die: what they hold ends with its
  second, and is lost. Over any other span of the same length it is at most twice the limit, at the seam of two windows;
  clocks that differ by d seconds make that span d longer.
- What is lost is at most a lot for each instance and second. Next to a limit lots shrink to what is left.

Refused requests cost nothing: an instance that saw a window exceeded does not ask again before its end. Where DynamoDB
does not answer, each instance counts for itself.
"""

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from apps.common.errors import PlatformError

MINUTE = 60
REMEMBERED = 4096  # buckets of an instance; one forgotten begins with small lots
log = logging.getLogger(__name__)


class Throttled(PlatformError):
    """Too many requests; the same one succeeds later."""

    status = 429
    type = "too-many-requests"
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Limit:
    """Requests a second that are admitted: at once, and on average over a minute."""

    burst: int
    steady: float

    @property
    def minute(self) -> int:
        """Requests in a minute."""
        return math.floor(self.steady * MINUTE)


@dataclass(frozen=True, slots=True)
class State:
    """What is left of a minute's limit, as last seen, and the seconds until it begins anew."""

    limit: Limit
    remaining: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Lot:
    """Tokens that were given, and the totals of their second and minute with them."""

    tokens: int
    in_second: int
    in_minute: int


class Counts(Protocol):
    """Counters that all instances share."""

    def take(self, name: str, tokens: int, *, second: int, limit: Limit) -> Lot:
        """Add tokens to the counters of a second and of its minute, as many as the limit leaves."""
        ...


@dataclass(slots=True)
class _Bucket:
    """What an instance holds of one principal and scope."""

    second: int = -1
    held: int = 0  # tokens left of the lot
    used: int = 0  # requests of this second
    needed: int = 1  # requests of the second before
    minute_left: int = 0
    blocked_until: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, second: int) -> None:
        if second != self.second:
            self.needed = max(1, self.used if second == self.second + 1 else 0)
            self.second, self.held, self.used = second, 0, 0


class Throttle:
    """The throttles of one instance. Safe to use from several threads.

    Args:
        counts: shared by all instances.
        clock: seconds since the epoch.
    """

    def __init__(self, counts: Counts, *, clock: Callable[[], float] = time.time) -> None:
        self._counts = counts
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def admit(self, name: str, limit: Limit) -> State:
        """Take one token.

        Args:
            name: of the principal and scope.
            limit: theirs.

        Raises:
            Throttled: none is left; says when there is.
        """
        bucket = self._bucket(name)
        with bucket.lock:
            now = self._clock()
            second = math.floor(now)
            bucket.begin(second)
            if second < bucket.blocked_until:
                raise _throttled(bucket.blocked_until - now)
            bucket.used += 1
            if bucket.held == 0:
                self._take_lot(bucket, name, limit)
            if bucket.held == 0:
                raise _throttled(bucket.blocked_until - now)
            bucket.held -= 1
            return State(limit, bucket.minute_left + bucket.held, MINUTE - second % MINUTE)

    def check(self, name: str) -> None:
        """Refuse what was seen to be used up, without counting.

        Raises:
            Throttled: until its window ends.
        """
        now = self._clock()
        blocked_until = self._bucket(name).blocked_until
        if now < blocked_until:
            raise _throttled(blocked_until - now)

    def _take_lot(self, bucket: _Bucket, name: str, limit: Limit) -> None:
        lot = self._counts.take(name, min(bucket.needed, limit.burst), second=bucket.second, limit=limit)
        bucket.held = lot.tokens
        bucket.minute_left = max(0, limit.minute - lot.in_minute)
        bucket.needed = max(1, bucket.needed // 2)  # a second lot is only for what came in addition
        if not lot.tokens:
            minute_ends = bucket.second - bucket.second % MINUTE + MINUTE
            bucket.blocked_until = minute_ends if lot.in_minute >= limit.minute else bucket.second + 1

    def _bucket(self, name: str) -> _Bucket:
        with self._lock:
            bucket = self._buckets.pop(name, None) or _Bucket()
            self._buckets[name] = bucket
            while len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
            return bucket


def _throttled(seconds: float) -> Throttled:
    wait = max(1, math.ceil(seconds))
    return Throttled(f"Too many requests. Try again in {wait} seconds.", retry_after_seconds=wait)


class Alone:
    """Counters of this instance, for as long as the shared ones do not answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: OrderedDict[tuple[str, int], int] = OrderedDict()

    def take(self, name: str, tokens: int, *, second: int, limit: Limit) -> Lot:
        """Count as ``Counts`` does."""
        in_second, in_minute = (name, second), (name, -(second // MINUTE))
        with self._lock:
            before = [self._totals.pop(key, 0) for key in (in_second, in_minute)]
            given = max(0, min(tokens, limit.burst - before[0], limit.minute - before[1]))
            self._totals |= {in_second: before[0] + given, in_minute: before[1] + given}
            while len(self._totals) > 2 * REMEMBERED:
                self._totals.popitem(last=False)
        return Lot(given, before[0] + given, before[1] + given)


Add = Callable[[str, int, int, Limit], tuple[bool, int, int]]


class Shared:
    """Counters in DynamoDB.

    Args:
        add: adds tokens by one call, unless they are more than the limit leaves; returns whether it did, and the totals.
    """

    def __init__(self, add: Add) -> None:
        self._add = add
        self._alone = Alone()

    def take(self, name: str, tokens: int, *, second: int, limit: Limit) -> Lot:
        """Count as ``Counts`` does, by one call; by two where the lot does not fit and a part of it does.

        Alone where the calls fail: the throttle must not be what stops everybody.
        """
        tokens = min(tokens, limit.burst, limit.minute)
        try:
            added, in_second, in_minute = self._add(name, tokens, second, limit)
            left = min(limit.burst - in_second, limit.minute - in_minute)
            if not added and 0 < left < tokens:
                tokens = left
                added, in_second, in_minute = self._add(name, tokens, second, limit)
        except (BotoCoreError, ClientError) as error:
            log.warning("throttles are counted by this process alone: %s", type(error).__name__)
            return self._alone.take(name, tokens, second=second, limit=limit)
        return Lot(tokens if added else 0, in_second, in_minute)
