"""Records of several tables, read by one call."""

import pytest

from apps.common.dynamodb import find_together
from apps.common.errors import Unavailable
from apps.sessions.store import FinalKeyTable, SessionTable
from tests import requirement
from tests.faults import counted, watched
from tests.finals import final_key


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
