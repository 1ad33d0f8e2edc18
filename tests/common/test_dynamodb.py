"""Records of several tables, read by one call; and the connection that all tables share."""

import sys

import pytest

from apps.common.dynamodb import find_together
from apps.common.errors import Unavailable
from apps.sessions.store import FinalKeyTable, SessionTable
from tests import requirement
from tests.faults import counted, watched
from tests.finals import final_key
from tests.threads import together


@requirement("C3", "G6")
def test_records_of_several_tables_cost_one_call(stock):
    with counted() as calls:
        session, final = find_together((SessionTable, stock.session_id), (FinalKeyTable, stock.session_id))
    assert calls == ["BatchGetItem"]
    assert session == SessionTable.find(stock.session_id)
    assert final == final_key(stock.session_id)


@requirement("C3")
def test_a_record_that_is_not_there_is_none(stock):
    session, final = find_together((SessionTable, stock.session_id), (FinalKeyTable, "no such session"))
    assert (session.session_id, final) == (stock.session_id, None)


@requirement("C3", "I8")
def test_what_the_database_left_out_is_not_taken_for_absent(stock):
    def throttled(call, client, operation, arguments):
        answer = call(client, operation, arguments)
        table = FinalKeyTable.Meta.table_name
        del answer["Responses"][table]
        return answer | {"UnprocessedKeys": {table: arguments["RequestItems"][table]}}

    with watched(throttled), pytest.raises(Unavailable):
        find_together((SessionTable, stock.session_id), (FinalKeyTable, stock.session_id))


@requirement("G5", "I1")
def test_threads_that_use_a_table_first_at_once_share_its_connection(aws, monkeypatch):
    """A worker's two threads met so in a start: one of them told the client of a table twice, and none worked again."""
    SessionTable.find("none")
    shared = SessionTable._get_connection().connection
    name, switching = SessionTable.Meta.table_name, sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            monkeypatch.setattr(SessionTable, "_connection", None)
            del shared._tables[name]
            assert together(8, lambda: SessionTable._get_connection().connection) == [shared] * 8
    finally:
        sys.setswitchinterval(switching)
