"""Gives each operation that schemathesis fuzzes an id of its own: it makes one function an item for each."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the operation into the id, where pytest keeps parameters; ``--dist`` sends out ids, not names."""
    for item in items:
        operation = getattr(item, "operation_label", None)
        if operation:
            item._id = item.id.with_params(operation)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the file whose tests are all slow and take each worker ten seconds to collect, where none is run."""
    unwanted = collection_path.name == "test_schema_boundaries.py" and config.option.markexpr == "not slow"
    return True if unwanted else None  # None: whatever else decides
