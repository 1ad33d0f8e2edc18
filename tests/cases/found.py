"""Cases about compromised sessions, over a link of their own."""

from apps.cases import services
from apps.cases.records import Case, case_id_of
from apps.detections import services as detections
from apps.sessions import services as sessions
from apps.sessions.services import GenerateRequest
from tests.conftest import TESTS
from tests.detections.test_services import pending


def case_over(link: str) -> Case:
    """Judge a session over a link compromised, and return its case."""
    request = GenerateRequest(key_length=256, error_rate=0.01, link=link)
    session = pending(sessions.generate(request, actor=TESTS), rate=0.12, expected=0.12, link=link)
    detections.judge(session.session_id, actor=TESTS)
    return services.find(case_id_of(session.session_id))
