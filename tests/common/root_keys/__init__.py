"""Tests of the root keys, named after their modules."""

CONTEXT = {"record": "pool_key", "id": "pk-1"}
