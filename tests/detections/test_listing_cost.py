"""Lists of detections hold keys only: a verdict is written once, and not again in each list."""

from apps.detections import services as detections
from apps.sessions import services as sessions
from apps.sessions.services import GenerateRequest
from tests import requirement
from tests.conftest import TESTS
from tests.read_units import counted_read_units
from tests.write_units import counted_units


@requirement("G6", "I6")
def test_a_verdict_costs_one_write_unit_in_each_list_that_it_is_in(pool):
    made = sessions.generate(GenerateRequest(key_length=256, error_rate=0.02), actor=TESTS)
    with counted_units() as units:
        judged = detections.judge(made.session_id, actor=TESTS)
    lists = {name: count for name, count in units.items() if "-detections/" in name}
    assert {name.rpartition("/")[2]: count for name, count in lists.items()} == {
        "feed": 1,
        "by_owner": 1,
        "by_verdict": 0,
    }
    with counted_read_units() as read:
        assert detections.listed(actor=TESTS, limit=50).records == [judged]
    assert read == [0.5, 0.5], "the keys, and the row"
