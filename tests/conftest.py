"""Fixtures for all tests: AWS in process, with the platform's tables and buckets."""

import threading
from collections.abc import Iterator

import pytest
from botocore.client import BaseClient
from moto import mock_aws


@pytest.fixture
def aws(settings: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty AWS in process (moto) with every table of the platform.

    One call at a time, as each call is atomic on AWS too; moto itself is not safe for threads.
    """
    one_at_a_time, call = threading.RLock(), BaseClient._make_api_call  # type: ignore[attr-defined]

    def locked(*arguments: object) -> object:
        with one_at_a_time:
            return call(*arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", locked)
    from apps.audit import services as audit
    from apps.common.dynamodb import all_tables

    with mock_aws():
        audit._chains.cache_clear()
        for table in all_tables():
            table.create_table(wait=False)
        yield
