"""Parts of schedules that apps declare fit together."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.common.scheduling import Part, Schedule, collect
from tests import requirement


@requirement("G1")
@pytest.mark.parametrize(
    ("again", "named"),
    [
        (Part(Schedule.SWEEP, 2, "files shredded", int), "name 'files shredded'"),
        (Part(Schedule.SWEEP, 1, "files counted", int), "order 1"),
    ],
)
def test_two_parts_of_one_name_or_place_are_refused(again, named):
    first = Part(Schedule.SWEEP, 1, "files shredded", int)
    elsewhere = Part(Schedule.REFILL, 1, "files shredded", int)
    assert collect([elsewhere, first]) == [first, elsewhere]
    with pytest.raises(ImproperlyConfigured, match=named):
        collect([first, again])
