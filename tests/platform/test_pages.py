"""The pages made from declarations are those that would be made now."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import path

from apps.common import environment
from apps.common.declarations import modules_named
from apps.common.environment import Section
from apps.common.routes import collect
from qkdplatform import settings as platform
from qkdplatform.checks import declarations_fit_together
from qkdplatform.pages import PAGES
from tests import requirement


@requirement("H2")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_the_apps_declare(settings, page):
    found = (settings.BASE_DIR / page).read_text(encoding="utf-8")
    assert found == PAGES[page](), f"Run: manage.py pages ({page} is old)"


@requirement("H2")
def test_the_settings_of_every_app_are_settings_of_the_platform(settings):
    for conf in sorted((settings.BASE_DIR / "apps").glob("*/conf.py")):
        line = f"from apps.{conf.parent.name}.conf import *"
        assert line in Path(platform.__file__).read_text(encoding="utf-8")


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


@requirement("H2")
def test_the_check_names_what_two_apps_declare(monkeypatch):
    assert declarations_fit_together() == []
    monkeypatch.setattr(
        "qkdplatform.pages.modules_named", lambda name: [*modules_named(name), *modules_named(name)]
    )
    [error] = declarations_fit_together()
    assert error.id == "qkdplatform.E001"
    assert error.msg.startswith("docs/events.md: Event ")
    assert error.msg.endswith("is declared twice.")
