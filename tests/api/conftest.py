"""Gives each operation that schemathesis fuzzes an id of its own: it makes one function an item for each."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the operation into the id, where pytest keeps parameters; ``--dist`` sends out ids, not names."""
    for item in items:
        operation = getattr(item, "operation_label", None)
        if operation:
            item._id = item.id.with_params(operation)
