"""What the stacks are told of the tables is what the models say."""

import json

from apps.common.dynamodb import all_tables
from deploy import tables
from tests import requirement


@requirement("G2")
def test_every_model_is_told_of_with_its_keys_indexes_time_to_live_and_stream():
    found = {table["name"]: table for table in json.loads(tables.text())}
    assert found.keys() == {table.short_name() for table in all_tables()}
    sessions = found["sessions"]
    assert (sessions["hash"], sessions["ttl"], sessions["stream"]) == (
        "session_id",
        "ttl",
        "NEW_AND_OLD_IMAGES",
    )
    assert found["detections"]["range"] == "detection_timestamp"
    for table in found.values():
        used = {table["hash"], table["range"], *(i["hash"] for i in table["indexes"])}
        used |= {index["range"] for index in table["indexes"]}
        assert table["types"].keys() == used - {None}
