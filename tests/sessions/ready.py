"""Sessions that were judged clean."""

import os
from dataclasses import replace
from typing import Any

from apps.detections import services as detections
from apps.sessions import finals, services
from apps.sessions.records import Session
from apps.sessions.services import GenerateRequest
from apps.sessions.store import FinalKeyTable, SessionTable
from tests.conftest import TESTS
from tests.tables import save


def ready(**request: Any) -> Session:
    """Run a session and have it judged: it is ready."""
    asked = GenerateRequest(**{"key_length": 1024, "error_rate": 0.01, **request})
    made = services.generate(asked, actor=TESTS)
    assert detections.judge(made.session_id, actor=TESTS).outcome == "ready"
    return services.find(made.session_id, actor=TESTS)


def long(keys: int) -> Session:
    """A ready session with so many quantum keys, without the time that it takes to run one."""
    made = services.generate(GenerateRequest(key_length=256, error_rate=0.02, link="stock"), actor=TESTS)
    bits = keys * 256
    made = replace(made, final_key_length=bits, key_length=bits, keys_total=keys)
    save(SessionTable.of(made))
    save(FinalKeyTable.of(finals.wrap(made, os.urandom(bits // 8))))
    assert detections.judge(made.session_id, actor=TESTS).outcome == "ready"
    return services.find(made.session_id, actor=TESTS)
