"""Walk the chains of the trail, and tell what was changed, removed or reordered (D3)."""

from dataclasses import dataclass

from django.conf import settings

from apps.audit import chain as chains
from apps.audit import store
from apps.audit.records import Problem


@dataclass(frozen=True, slots=True)
class Verification:
    """What walking every chain found."""

    chains: int
    entries: int
    problems: list[Problem]


def verify() -> Verification:
    """Walk every chain from its first entry to its head (D3)."""
    found: list[Problem] = []
    total = used = 0
    for chain in chains.names(settings.AUDIT_CHAINS):
        entries, problems = _verify_chain(chain)
        found.extend(problems)
        total += entries
        used += bool(entries)
    return Verification(used, total, found)


def _verify_chain(chain: str) -> tuple[int, list[Problem]]:
    key, head = settings.AUDIT_KEY.encode(), store.head(chain)
    entries = list(store.walk(chain))
    length, digest = (head.sequence, head.hash) if head else (0, chains.genesis(chain))
    if entries and entries[-1].sequence > length:
        now = store.head(chain)
        if now and now.sequence >= entries[-1].sequence:  # the chain grew while it was walked
            entries = entries[:length]
    found = list(chains.problems(entries, chain=chain, length=length, key=key))
    if head and head.seal != chains.head_seal(chain, length, digest, key):
        found.append(Problem(chain, length, "the head was changed"))
    elif head and entries and entries[-1].sequence == length and entries[-1].hash != digest:
        found.append(Problem(chain, length, "the head does not match the last entry"))
    return len(entries), found
