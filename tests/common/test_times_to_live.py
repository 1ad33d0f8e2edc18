"""DynamoDB removes rows by their time to live only where the table was told so."""

import pytest

from apps.common.aws import client
from apps.common.dynamodb import all_tables
from tests import requirement


@requirement("G2")
@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.short_name())
def test_a_table_whose_rows_end_by_themselves_has_its_time_to_live_on(aws, table):
    name = table.Meta.table_name
    told = client("dynamodb").describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if "ttl" in table.get_attributes():
        assert (told["TimeToLiveStatus"], told["AttributeName"]) == ("ENABLED", "ttl")
        assert table.expires, "verification of the records must know that rows leave without an entry"
    else:
        assert told["TimeToLiveStatus"] == "DISABLED"
        assert not table.expires
