"""One process of the race: ``python -m benchmarks.race_worker <messages>``; begins when it reads a line."""

import json
import sys
from collections import Counter
from typing import Any

import django

django.setup()

from django.conf import settings

from apps.files import messages
from tests.conftest import TESTS
from tests.faults import Call, watched


def main() -> None:
    """Encrypt, and print what that took."""
    transactions, refused, cancelled = 0, 0, Counter[str]()

    def around(call: Call, aws: Any, operation: str, arguments: dict[str, Any]) -> Any:
        nonlocal transactions, refused
        transactions += operation == "TransactWriteItems"
        try:
            return call(aws, operation, arguments)
        except Exception as error:
            reasons = getattr(error, "response", {}).get("CancellationReasons", [])
            items = [next(iter(item.values())) for item in arguments.get("TransactItems", [])]
            met = {
                item["TableName"].removeprefix(f"{settings.TABLE_PREFIX}-")
                for item, reason in zip(items, reasons, strict=False)
                if reason["Code"] != "None"
            }
            refused += bool(met)
            cancelled.update(met)
            raise

    print("ready", flush=True)
    sys.stdin.readline()
    with watched(around):
        taken = [
            str(messages.encrypt(b"x", actor=TESTS).header.quantum_key_id) for _ in range(int(sys.argv[1]))
        ]
    told = {"taken": taken, "transactions": transactions, "refused": refused, "cancelled": dict(cancelled)}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
