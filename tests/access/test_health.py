"""Health is public and says no more than up or not (E5)."""

import pytest
from django.test import Client

from apps.common import health
from apps.keys.store import PoolKeyTable
from tests import requirement
from tests.faults import counted


@requirement("E5", "I8")
def test_liveness_asks_nothing_of_anyone(aws):
    with counted() as calls:
        answer = Client().get("/api/v1/health", headers={"X-API-Key": "not a key"})
    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "version"}
    assert calls == []


@requirement("E5")
@pytest.mark.django_db
def test_readiness_asks_every_dependency(aws):
    answer = Client().get("/api/v1/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert {check["name"] for check in answer.json()["checks"]} == set(health.CHECKS)
    assert all(check["milliseconds"] >= 0 for check in answer.json()["checks"])


@requirement("E5", "I8")
@pytest.mark.django_db
def test_readiness_names_what_fails_and_not_why(aws):
    PoolKeyTable.delete_table()
    answer = Client().get("/api/v1/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert {check["name"] for check in answer.json()["checks"] if not check["ok"]} == {"tables"}
    assert all(set(check) == {"name", "ok", "milliseconds"} for check in answer.json()["checks"])
