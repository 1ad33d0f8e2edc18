"""What one answer names is read, changed and removed by the next requests, as each role (E2, E9, I8).

Schemathesis infers the links between operations from the schema: an id of an answer is a parameter of another address.
"""

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS, load_all_checks

from apps.access.roles import Role
from apps.detections import services as detections
from apps.keys import services as keys
from apps.sessions import services as sessions
from apps.sessions import tasks
from qkdplatform.wsgi import application
from tests import requirement
from tests.api.test_schema import DOCUMENT
from tests.conftest import TESTS, Api, empty_aws
from tests.queues import into
from tests.uploads import deliver, registered

pytestmark = [pytest.mark.django_db, requirement("E2", "E9", "I8", "H1")]
load_all_checks()
NAMES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "use_after_free",
)
LINKS_AT_LEAST = 600  # fewer would be a schema that no longer says what an id is of


@pytest.fixture(scope="module")
def machine():
    """The operations as rules, and the links between them."""
    config = schemathesis.Config.from_dict(
        {"generation": {"allow-x00": True, "codec": "utf-8", "mode": "positive"}}
    )
    schema = schemathesis.openapi.from_dict(copy.deepcopy(DOCUMENT), config=config)
    schema.app = application
    assert schema.analysis.inject_links() > LINKS_AT_LEAST
    return schema.as_state_machine()


@pytest.fixture(autouse=True)
def _short_work(monkeypatch):
    """Long work is only queued, and nothing is waited for."""
    monkeypatch.setattr("django.conf.settings.GENERATE_LIMIT_SECONDS", 0.03)
    monkeypatch.setattr("apps.common.prefer.LONGEST_SECONDS", 0.0)
    monkeypatch.setattr(tasks.generate_batch, "apply_async", into([]))


@contextmanager
def platform(role: Role) -> Iterator[Api]:
    """A platform with one of everything, and a caller of a role."""
    with empty_aws():
        keys.create(2, actor=TESTS)
        made = sessions.generate(sessions.GenerateRequest(key_length=4096, error_rate=0.01), actor=TESTS)
        detections.judge(made.session_id, actor=TESTS)
        api = Api(role)
        deliver(registered(api if role is Role.ADMINISTRATOR else Api(Role.CLIENT)).event)
        yield api


def go(machine: Any, role: Role, *, scenarios: int, steps: int) -> Counter[str]:
    """Go through scenarios as a role; how many answers there were by the first digit of their status."""
    statuses = Counter[str]()
    checks = [CHECKS.get_one(name) for name in NAMES]

    class Scenario(machine):  # type: ignore[misc]
        def setup(self):
            # Each begins with a platform of its own: hypothesis wants the same steps to end in the same way
            self.stack = ExitStack()
            self.api = self.stack.enter_context(platform(role))

        def teardown(self):
            self.stack.close()

        def get_call_kwargs(self, case):  # noqa: ARG002 - as schemathesis calls it
            return {"headers": {"X-API-Key": self.api.key}}

        def after_call(self, response, case):
            super().after_call(response, case)
            statuses[f"{response.status_code}"[0]] += 1

        def validate_response(self, response, case, additional_checks=None, **kwargs):  # noqa: ARG002
            case.validate_response(response, checks=checks, transport_kwargs=kwargs, recorder=self.recorder)

    Scenario.run(
        settings=settings(
            max_examples=scenarios,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
    )
    return statuses


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("role", list(Role))
def test_whatever_follows_from_an_answer_keeps_to_the_schema(machine, role):
    statuses = go(machine, role, scenarios=40, steps=15)
    assert statuses["2"] > 20, statuses


def test_a_clients_first_steps_keep_to_the_schema(machine):
    assert go(machine, Role.CLIENT, scenarios=3, steps=12)["2"] > 0
