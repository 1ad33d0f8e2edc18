"""Every test has an id of its own: where two share one, a distributed run carries out one of them."""

from collections import Counter

import pytest

from tests import requirement


@requirement("H1")
def test_no_two_tests_share_an_id(request: pytest.FixtureRequest) -> None:
    """Of whatever is run together with this one; of the whole suite where that is run."""
    counted = Counter(item.nodeid for item in request.session.items)
    assert {name: count for name, count in counted.items() if count > 1} == {}
