"""Each boundary of each field is sent to the API, which keeps to its schema (E2, I8).

A file of its own, read by slow runs only (conftest.py): what is sent is made while tests are collected, in each worker.
"""

import pytest
from hypothesis import settings

from tests import requirement
from tests.api.test_schema import SETTINGS, check, fuzzed, schema  # noqa: F401 - the fixture


@pytest.mark.slow
@pytest.mark.django_db
@requirement("E2", "I8", "H1")
@schema.exclude(path_regex="health/ready").parametrize()
@settings(max_examples=50, **SETTINGS)
def test_the_api_keeps_to_its_schema_at_every_boundary(fuzzed, case):  # noqa: F811
    check(fuzzed, case)
