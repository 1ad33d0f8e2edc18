"""The caller's address comes from who is trusted to have seen it."""

import pytest

from apps.common.addresses import of_caller
from tests import requirement

FORGED = "203.0.113.9"
SEEN = "198.51.100.7"


@requirement("D4", "D5")
@pytest.mark.parametrize(
    ("context", "forwarded", "hops", "expected"),
    [
        ({"identity": {"sourceIp": SEEN}}, FORGED, 0, SEEN),
        ({"identity": {"sourceIp": SEEN}}, FORGED, 1, SEEN),
        ({"http": {"sourceIp": SEEN}}, FORGED, 0, SEEN),
        ({"elb": {}}, FORGED, 0, ""),
        ({"elb": {}}, SEEN, 1, SEEN),
        ({"elb": {}}, f"{FORGED}, {SEEN}", 1, SEEN),
        ({"elb": {}}, f"{FORGED}, {SEEN}, 10.0.0.1", 2, SEEN),
        ({"elb": {}}, SEEN, 2, ""),
        ({"elb": {}}, "", 1, ""),
        ({"elb": {}}, "not an address", 1, ""),
        ({"identity": {"sourceIp": ""}}, FORGED, 0, ""),
        ({"identity": None}, f"{FORGED}, 2001:db8::1", 1, "2001:db8::1"),
    ],
)
def test_only_the_configured_hop_is_believed(context, forwarded, hops, expected):
    assert of_caller(context, forwarded, hops=hops) == expected
