"""The pages made from declarations are those that would be made now."""

from pathlib import Path

import pytest

from apps.common.declarations import modules_named
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
def test_the_check_names_what_two_apps_declare(monkeypatch):
    assert declarations_fit_together() == []
    monkeypatch.setattr(
        "qkdplatform.pages.modules_named", lambda name: [*modules_named(name), *modules_named(name)]
    )
    [error] = declarations_fit_together()
    assert error.id == "qkdplatform.E001"
    assert error.msg.startswith("docs/events.md: Event ")
    assert error.msg.endswith("is declared twice.")
