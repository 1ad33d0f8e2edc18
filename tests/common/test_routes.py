"""Addresses that apps declare fit together."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import path

from apps.common.routes import collect
from tests import requirement


def nothing(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@requirement("E1")
@pytest.mark.parametrize(
    ("again", "said"),
    [
        (path("things/<str:name>", nothing, name="other"), "address 'things/<>'"),
        (path("other", nothing, name="thing"), "name 'thing'"),
    ],
)
def test_two_views_of_one_address_or_name_are_refused(again, said):
    first = path("things/<str:thing_id>", nothing, name="thing")
    assert [str(route.pattern) for route in collect([first])] == ["api/v1/things/<str:thing_id>"]
    with pytest.raises(ImproperlyConfigured, match=said):
        collect([first, again])
