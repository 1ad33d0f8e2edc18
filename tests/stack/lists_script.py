"""Runs in the environment of the embedded AWS: loads a state as a start does, and counts the items that it parses."""

import asyncio
import json
import os
from collections import Counter
from pathlib import Path

from apps.stack.embedded import surroundings

surroundings.set_up()

from ministack import app  # noqa: E402 - it reads the environment
from ministack.services import dynamodb  # noqa: E402 - it reads the environment

from apps.stack.embedded import packed  # noqa: E402 - it reads the environment
from apps.stack.embedded.durability import Durability  # noqa: E402 - it reads the environment

parsed: Counter[str] = Counter()
get = packed.Rows.__getitem__


def counted(rows, sort):
    parsed["items"] += 1
    return get(rows, sort)


packed.Rows.__getitem__ = counted  # type: ignore[method-assign]
durability = Durability(Path(os.environ["STATE_DIR"]))
durability.install()
app._load_persisted_state()
asyncio.run(durability.restore())
durability.journal.close()
members = {
    table["TableName"]: {
        index: {partition: places.in_order for partition, places in partitions.items()}
        for index, partitions in table[dynamodb._INDEX_MEMBERS].items()
    }
    for table in dynamodb._tables.all_values()
}
print(json.dumps({"parsed": parsed["items"], "members": members}, default=str))  # noqa: T201 - the test reads it
