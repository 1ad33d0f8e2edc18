"""What a table writer can do to the trail, each found and named: the table of docs/threat-model.md as one test."""

import pytest

from apps.access import api_keys
from apps.access.roles import Role
from apps.access.store import ApiKeyTable
from apps.audit import checkpointing, writing
from apps.audit.records import SWEEPER, system
from apps.audit.services import record
from apps.audit.store import HeadTable
from apps.audit.verification import Depth, verify
from apps.common.aws import client
from apps.files.trail import FileEvent
from tests import requirement
from tests.audit import tampering, test_archive
from tests.audit.tampering import HARMS, Scene
from tests.conftest import TESTS

ACTOR = system("tests")


@pytest.fixture
def scene(aws) -> Scene:
    known = writing.known_chains()
    chains = sorted(known.names)[-2:]
    known.names = chains[:1]
    made, _ = api_keys.issue_for_service("a", role=Role.CLIENT, actor=TESTS)
    key = {"key_id": {"S": made.key_id}}
    before = client("dynamodb").get_item(TableName=ApiKeyTable.Meta.table_name, Key=key)["Item"]
    for _ in range(3):
        record(ACTOR, FileEvent.READ, file_id="a-file")
    head = HeadTable.get(chains[0])
    api_keys.revoke(made.key_id, reason="leaked", actor=TESTS)
    record(ACTOR, FileEvent.READ, file_id="a-file")
    known.names = chains[1:]
    record(ACTOR, FileEvent.READ, file_id="a-file")
    known.names = chains
    checkpointing.make(actor=SWEEPER)
    assert verify(Depth.RECORDS).whole
    return Scene(chains, head, before)


@requirement("D3", "D5", "I10")
@pytest.mark.parametrize("harm", HARMS)
def test_what_is_done_to_the_trail_is_found_and_named(scene: Scene, settings, harm: str):
    HARMS[harm].do(scene)
    if harm == "fewer chains":
        settings.AUDIT_CHAINS = 1
    found = list(verify(Depth.RECORDS).all_problems())
    assert any(HARMS[harm].named in problem for problem in found), found
    assert len(found) <= 8, "and not much else"


@requirement("D5", "H2")
def test_the_page_has_the_table_and_names_tests_that_there_are():
    assert tampering.page() == tampering.PAGE.read_text(encoding="utf-8"), (
        "run: python -m tests.audit.tampering"
    )
    assert [test for _, test in tampering.ARCHIVE.values() if not hasattr(test_archive, test)] == []
