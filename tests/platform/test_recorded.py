"""Every function that writes leaves an entry, or says why not (D6, I1)."""

import ast

import pytest

from apps.audit.records import Event
from qkdplatform import trail_page
from tests import requirement


@requirement("D6", "I1")
def test_every_function_that_writes_names_its_event_or_a_reason():
    assert trail_page.unrecorded() == []


@requirement("D6")
def test_every_reason_is_of_a_function_that_writes_and_needs_one():
    needing = {one.name for one in trail_page.functions().values() if one.writes and not one.events}
    assert {name for name in trail_page.reasons() if name not in needing} == set()


@requirement("D6")
def test_every_event_is_left_by_some_function():
    assert trail_page.unused_events() == []


@requirement("D6")
def test_most_of_the_product_is_walked():
    names = set(trail_page.functions())
    assert len(names) > 100
    assert {"apps.keys.services.create", "apps.files.services._move", "apps.access.api_keys.issue"} <= names


@requirement("D6")
@pytest.mark.parametrize(
    "line",
    [
        "row.save()",
        "row.update([A.b.set(1)], condition=c)",
        "row.delete(condition=c)",
        "user.save(update_fields=['x'])",
        "client('s3').put_object(Bucket=b)",
        "objects.remove(ref)",
        "User.objects.create_user(n)",
    ],
)
def test_a_write_without_an_entry_is_seen(line: str):
    found = trail_page._in_module("apps.planted", ast.parse(f"def planted(row):\n    {line}\n"))
    assert found["apps.planted.planted"].writes
    found = trail_page._in_module(
        "apps.planted", ast.parse(f"def planted(row):\n    {line}\n    record(a, FileEvent.READ)\n")
    )
    assert found["apps.planted.planted"].events == {"file.read"}


def test_an_event_is_an_event():
    assert all(isinstance(event, Event) for event in trail_page._events_by_name().values())
