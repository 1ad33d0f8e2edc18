"""Which limit of AWS an encryption meets first, at so many a second, and which settings move it away.

    python -m benchmarks.model

Pure arithmetic on counted units (docs/operation-costs.md) and AWS's published limits:
a partition of a table or index takes 1,000 write units a second, a table on demand 40,000 unless that is raised;
two transactions that hold one item at the same moment cancel one another.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html and ServiceQuotas.html
"""

from dataclasses import dataclass

PARTITION_UNITS = 1_000  # a second, of one partition key of a table or index
TABLE_UNITS = 40_000  # a second, of one table or index, by default
TRANSACTION_SECONDS = 0.02  # from its first write to its last, with four items and more
REQUEST_SECONDS = 0.06  # of a function, for one message
FUNCTIONS = 1_000  # at once, by default
CHAIN_UNITS = 2  # of a chain's head, a transaction
ENTRY_UNITS = 1  # of an entry in the list of all entries
SLOTS = 64  # of a pool key
BLOCK_KEYS = 16  # of a stock session of 1,024 keys
BLOCK_UNITS = 13  # of the session's row and its lists, once a block
CORE_KEYS = 900.0  # quantum keys a second that one slow core of a function makes, in sessions of 1,024 keys


@dataclass(frozen=True, slots=True)
class Stage:
    """Settings of a deployment, as far as they decide its throughput."""

    audit_chains: int
    feed_shards: int
    pool_keys: int = 100
    functions: int = FUNCTIONS
    table_units: int = TABLE_UNITS


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit, and how far it is used at a rate: 1.0 is all of it."""

    name: str
    used: float


def at_once(per_second: float) -> float:
    """Transactions under way at one moment."""
    return per_second * TRANSACTION_SECONDS


def meeting(per_second: float, places: int) -> float:
    """The share of transactions that meet another one on one of ``places`` items chosen at random."""
    others = max(0.0, at_once(per_second) - 1)
    return float(1 - (1 - 1 / places) ** others)


def limits(per_second: float, stage: Stage) -> list[Limit]:
    """Every limit that an encryption is under, the most used first."""
    found = [
        Limit(
            "heads of the trail's chains (conflicts, 25 % is all)",
            meeting(per_second, stage.audit_chains) / 0.25,
        ),
        Limit(
            "heads of the trail's chains (units)",
            per_second * CHAIN_UNITS / (stage.audit_chains * PARTITION_UNITS),
        ),
        Limit("the list of all entries", per_second * ENTRY_UNITS / (stage.feed_shards * PARTITION_UNITS)),
        Limit(
            "slots of pool keys (conflicts, 25 % is all)",
            meeting(per_second, stage.pool_keys * SLOTS) / 0.25,
        ),
        Limit("the table of entries", 2 * per_second / stage.table_units),
        Limit("functions at once", per_second * REQUEST_SECONDS / stage.functions),
    ]
    return sorted(found, key=lambda limit: -limit.used)


def recommended(per_second: float) -> Stage:
    """The smallest settings that leave each limit at most half used."""
    stage = Stage(audit_chains=16, feed_shards=1)
    while (worst := limits(per_second, stage)[0]).used > 0.5:
        stage = _raised(stage, worst.name)
    return stage


def _raised(stage: Stage, name: str) -> Stage:
    values = {field: getattr(stage, field) for field in Stage.__dataclass_fields__}
    grown = {
        "heads": "audit_chains",
        "the list": "feed_shards",
        "slots": "pool_keys",
        "the table": "table_units",
        "functions": "functions",
    }
    field = next(field for start, field in grown.items() if name.startswith(start))
    return Stage(**values | {field: values[field] * 2})


def table(rates: tuple[int, ...] = (100, 1_000, 10_000)) -> list[str]:
    """The model's answer as rows of a page."""
    default = Stage(audit_chains=16, feed_shards=1)
    rows = [
        "| encryptions/s | first limit with defaults | used | settings recommended | first limit then | used | cores for the stock |",
        "|---|---|---|---|---|---|---|",
    ]
    for rate in rates:
        first, stage = limits(rate, default)[0], recommended(rate)
        then = limits(rate, stage)[0]
        settings = (
            f"`AUDIT_CHAINS={stage.audit_chains}`, `FEED_SHARDS={stage.feed_shards}`, `POOL_TARGET={stage.pool_keys}`, "
            f"functions {stage.functions}, table units {stage.table_units}"
        )
        rows.append(
            f"| {rate} | {first.name} | {first.used:.0%} | {settings} | {then.name} | {then.used:.0%} "
            f"| {rate / CORE_KEYS:.1f} |"
        )
    return rows


if __name__ == "__main__":
    print("\n".join(table()))
