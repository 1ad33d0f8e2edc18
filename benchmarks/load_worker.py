"""A web process of `make run` that counts its AWS calls: ``python -m benchmarks.load_worker <host> <port> <file>``."""

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

from apps.stack import web

WRITE_SECONDS = 0.2


def count(into: Path) -> None:
    """Write the calls that this process made, by name, into a file, again and again."""
    calls: Counter[str] = Counter()
    made = BaseClient._make_api_call  # type: ignore[attr-defined] # noqa: SLF001 - the one way that every call takes

    def counted(client: Any, operation: str, arguments: Any) -> Any:
        calls[f"{client.meta.service_model.service_name}.{operation}"] += 1
        return made(client, operation, arguments)

    def write() -> None:
        while True:
            partial = into.with_suffix(".new")
            partial.write_text(json.dumps(dict(calls)))
            partial.replace(into)
            time.sleep(WRITE_SECONDS)

    BaseClient._make_api_call = counted  # type: ignore[attr-defined] # noqa: SLF001 - likewise
    threading.Thread(target=write, daemon=True).start()


if __name__ == "__main__":
    *address, file = sys.argv[1:]
    count(Path(file))
    sys.argv[1:] = address
    web.main()
