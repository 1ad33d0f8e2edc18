"""Writes docs/operation-costs.md: what operations cost on AWS, as counted, and which limit comes first, as modelled.

python -m benchmarks.cost
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from benchmarks import model

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operation-costs.md"
WRITE_DOLLARS = (
    0.625  # of a million write units on demand, us-east-1: aws.amazon.com/dynamodb/pricing/on-demand
)
READ_DOLLARS = 0.125  # of a million read units
S3_DOLLARS = 5.0  # of a million calls, all at the price of a PUT: aws.amazon.com/s3/pricing
# Write units, read units, calls and those to S3, counted in the same way at the commit dd506c7: before keys were leased
# in blocks, uses of pool keys counted on slots, and lists held keys only
BEFORE = {
    "encrypt a message": (38.0, 0.5, 2.0, 0.0),
    "decrypt a message": (9.0, 2.0, 3.0, 0.0),
    "upload a file": (101.0, 1.5, 11.0, 5.0),
    "read a file": (9.0, 3.0, 5.0, 1.0),
    "list 5 of some files": (0.0, 2.5, 1.0, 0.0),
    "delete a file": (47.0, 2.0, 3.0, 0.0),
    "re-wrap a file": (34.0, 1.0, 0.1, 0.0),
    "run a session of 256 bits, and judge it": (
        48.0,
        2.0,
        4.0,
        0.0,
    ),
    "a heartbeat of a job": (3.0, 0.0, 1.0, 0.0),
}
HEAD = """# What operations cost

Made by `python -m benchmarks.cost`; `tests/api/test_units.py` counts the same and holds this page to it. Units by AWS's size rules: every index, transactions twice. A process in steady state; what it does once a block of 16 quantum keys is in the average. Dollars for a million operations: DynamoDB on demand in us-east-1 (0.625 a million write units, 0.125 a million read units), and S3's calls at 5.00 a million, without storage, functions and the root key.

Before: counted in the same way before processes leased keys and lists held keys only. What is dearer does more: an upload is opened again with its key's row before its plaintext goes, and a session is dealt out in blocks.

| operation | write units | before | read units | before | calls | before | of these to S3 | dollars a million | before |
|---|---|---|---|---|---|---|---|---|---|
"""
REST = """
A quantum key of a stock session of 1,024 costs about one write unit beside its take: the session, its verdict, its wrapped key and 64 blocks, over 1,024 keys.

## Processes that take keys at once

Cancelled transactions for each quantum key taken, all processes starting at the same moment on one session of 1,024 keys (`tests/sessions/test_leases.py`, which also holds that no key is taken twice):

| processes | before | now |
|---|---|---|
| 1 | 0 | 0 |
| 4 | not counted | below 0.05 |
| 8 | not counted | below 0.05 |
| 16 | 0.93 | below 0.05 |

Real processes on the embedded AWS (`python -m benchmarks.race 12`, twelve messages each, two cores at load 20): transactions for each encryption and those cancelled; 348 quantum keys, none of them twice.

| processes | transactions each | cancelled each | of these at heads of the trail | at blocks of keys |
|---|---|---|---|---|
| 1 | 1.00 | 0.00 | 0.00 | 0.00 |
| 4 | 1.02 | 0.02 | 0.02 | 0.00 |
| 8 | 1.05 | 0.05 | 0.04 | 0.02 |
| 16 | 1.12 (2.04 before) | 0.12 (0.93 before) | 0.10 | 0.02 |

They meet only where two choose the same free block of 64. While a lease lasts, a take is one transaction, and none of its items is another process's.

## Which limit comes first

`python -m benchmarks.model`: partitions take 1,000 write units a second, a table 40,000 unless that is raised, and transactions of 20 ms cancel one another where they hold the same item. Settings are the smallest that leave every limit at most half used.

"""


class Cost(Protocol):
    """What one operation costs, on average."""

    @property
    def write_units(self) -> float: ...
    @property
    def read_units(self) -> float: ...
    @property
    def calls(self) -> float: ...
    @property
    def s3_calls(self) -> float: ...


def page(costs: Mapping[str, Cost]) -> str:
    """The page for these costs."""
    return (
        HEAD
        + "\n".join(_row(name, cost) for name, cost in costs.items())
        + "\n"
        + REST
        + "\n".join(model.table())
        + "\n"
    )


def _row(name: str, cost: Cost) -> str:
    writes, reads, calls, to_s3 = BEFORE[name]
    now = _dollars(cost.write_units, cost.read_units, cost.s3_calls)
    return (
        f"| {name} | {cost.write_units:.1f} | {writes:.1f} | {cost.read_units:.1f} | {reads:.1f} "
        f"| {cost.calls:.1f} | {calls:.1f} | {cost.s3_calls:.1f} | {now:.2f} | {_dollars(writes, reads, to_s3):.2f} |"
    )


def _dollars(writes: float, reads: float, to_s3: float) -> float:
    return writes * WRITE_DOLLARS + reads * READ_DOLLARS + to_s3 * S3_DOLLARS


def figures(text: str) -> dict[str, list[float]]:
    """The write units, read units and calls of each operation, as a page has them."""
    found: dict[str, list[float]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 10 and cells[1].replace(".", "").isdigit():
            found[cells[0]] = [float(cells[place]) for place in (1, 3, 5)]
    return found


def main() -> None:
    """Count, and write the page."""
    import os
    import tempfile

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    from apps.access.roles import Role
    from apps.keys import services as keys
    from tests.conftest import TESTS, Api, empty_aws
    from tests.operations import measured
    from tests.sessions.ready import long

    setup_test_environment()
    call_command("migrate", verbosity=0, interactive=False)
    with tempfile.TemporaryDirectory() as folder, empty_aws():
        settings.ROOT_KEY = f"local:{folder}/root.key"
        keys.create(4, actor=TESTS)
        long(1024)
        PAGE.write_text(page(measured(Api(Role.CLIENT))))


if __name__ == "__main__":
    main()
