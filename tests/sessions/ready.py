"""Sessions that were judged clean."""

from typing import Any

from apps.detections import services as detections
from apps.sessions import services
from apps.sessions.records import Session
from apps.sessions.services import GenerateRequest
from tests.conftest import TESTS


def ready(**request: Any) -> Session:
    """Run a session and have it judged: it is ready."""
    asked = GenerateRequest(**{"key_length": 1024, "error_rate": 0.01, **request})
    made = services.generate(asked, actor=TESTS)
    assert detections.judge(made.session_id, actor=TESTS).outcome == "ready"
    return services.find(made.session_id, actor=TESTS)
