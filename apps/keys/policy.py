"""The policy of the whole pool: the version that new keys get, and the lowest that still opens.

Raising the minimum is how a whole generation of keys is taken out of use at once: they seal nothing more, and
open only so that their files can be re-wrapped. A process knows a change of the policy after at most
KNOWN_SECONDS; the process that made it, at once.
"""

from apps.audit.records import Actor
from apps.audit.services import transaction
from apps.common.caching import TimedCache
from apps.common.errors import Invalid, Refused
from apps.keys.records import Policy
from apps.keys.store import PolicyTable
from apps.keys.trail import PoolEvent

POOL = "default"  # one policy for all pools, kept under this name
KNOWN_SECONDS = 30.0
_known = TimedCache[Policy](max_items=1, ttl_seconds=KNOWN_SECONDS)


def read() -> Policy:
    """The policy as it is now."""
    forget()
    return known()


def known() -> Policy:
    """The policy, at most KNOWN_SECONDS old."""
    return _known.get(POOL, lambda: PolicyTable.find(POOL) or Policy(POOL))


def forget() -> None:
    """Let the next caller read the policy again."""
    _known.forget(POOL)


def raise_minimum(version: int, *, actor: Actor) -> Policy:
    """Let no key below ``version`` open anything, and give new keys at least that version.

    Raises:
        Invalid: it is not above the minimum, or skips versions that no key has had.
        Refused: someone else changed the policy meanwhile.
    """
    stored = PolicyTable.find(POOL)
    before = stored or Policy(POOL)
    if not before.minimum < version <= before.current + 1:
        allowed = " or ".join({str(before.minimum + 1): 1, str(before.current + 1): 1})
        raise Invalid.of("minimum", f"the minimum is {before.minimum}; enter {allowed}")
    after = Policy(POOL, current=max(before.current, version), minimum=version)
    unchanged = PolicyTable.minimum == before.minimum
    with transaction(actor) as tx:
        tx.replace(
            PolicyTable.of(after),
            condition=unchanged if stored else PolicyTable.pool.does_not_exist(),
            otherwise=Refused("The policy was changed by someone else meanwhile. Look at it again."),
        )
        tx.audit(PoolEvent.MINIMUM_RAISED, version=version, before=before.minimum)
    forget()
    return after
