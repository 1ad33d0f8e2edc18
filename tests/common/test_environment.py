"""Settings are declared once, and read within their bounds."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.common import environment
from apps.common.environment import Section
from tests import requirement


@requirement("H2")
def test_a_setting_is_declared_once(monkeypatch):
    monkeypatch.setattr(environment, "_declared", {})
    for _ in range(2):
        Section("One").integer("LIMIT", 3, about="The limit.")  # a module loaded again
    with pytest.raises(ImproperlyConfigured, match="LIMIT is declared twice"):
        Section("Two").integer("LIMIT", 3, about="The limit.")


@requirement("H2")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "LIMIT must be a whole number, not ''."),
        ("two", "not 'two'"),
        ("0", "between 1 and 9"),
        ("10", "between"),
    ],
)
def test_a_setting_out_of_its_bounds_is_refused(monkeypatch, value, said):
    monkeypatch.setattr(environment, "_declared", {})
    monkeypatch.setenv("LIMIT", value)
    with pytest.raises(ImproperlyConfigured, match=said):
        Section("One").integer("LIMIT", 3, low=1, high=9, about="The limit.")


@requirement("H2")
def test_no_number_is_not_a_number_within_bounds(monkeypatch):
    monkeypatch.setattr(environment, "_declared", {})
    monkeypatch.setenv("RATE", "nan")
    with pytest.raises(ImproperlyConfigured, match="between"):
        Section("One").real("RATE", 0.1, low=0.0, high=0.5, about="The rate.")


@requirement("H2")
@pytest.mark.parametrize("stage", ["local", "production"])
def test_what_must_be_set_may_be_missing_at_the_local_stage_only(monkeypatch, stage):
    monkeypatch.setattr(environment, "_declared", {})
    monkeypatch.setattr(environment, "LOCAL", stage == "local")
    monkeypatch.setattr(environment, "STAGE", stage)
    section = Section("One")
    assert section.text("TABLES", "qkd-{stage}", about="Tables.") == f"qkd-{stage}"
    if stage == "local":
        assert section.text("WHERE", local="here", about="Where.") == "here"
    else:
        with pytest.raises(ImproperlyConfigured, match="WHERE must be set"):
            section.text("WHERE", local="here", about="Where.")
