"""The first steps: five clicks from an empty platform to a file that was encrypted, read and recorded. Then they are gone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Route, expect

from apps.files import services as files
from apps.files.bodies.objects import UPLOADS_PREFIX
from tests import requirement
from tests.browser.accessibility import violations
from tests.browser.conftest import Watched
from tests.browser.test_operators_jobs import Operator
from tests.console.demo import ALICE
from tests.uploads import Upload, deliver, put

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CONTENT = b"the plan for tomorrow"


@pytest.fixture
def uploads(watched: Watched) -> list[Upload]:
    """What the browser sent to the bucket, which is the one of this process."""
    arrived: list[Upload] = []

    def answer(route: Route) -> None:
        if route.request.method == "GET":
            found = requests.get(route.request.url, timeout=60)
            route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)
            return
        (announced,) = files.files_page(actor=ALICE, limit=2).records
        arrived.append(put(UPLOADS_PREFIX + announced.file_id, CONTENT))
        route.fulfill(status=204, headers={"Access-Control-Allow-Origin": "*"})

    watched.may_ask_others = True
    watched.page.route(lambda url: not url.startswith((watched.origin, "data:", "blob:")), answer)
    return arrived


@requirement("F1", "F2", "F5")
def test_five_clicks_lead_from_an_empty_platform_to_the_trail_of_a_file(
    watched: Watched,
    admin_user: Any,
    stock: Any,
    uploads: list[Upload],
    sign_in: Callable[[Any], None],
) -> None:
    sign_in(admin_user)
    operator, page = Operator(watched), watched.page
    steps = page.locator("#panel-first-steps")
    wrong = violations(page)
    watched.shoot("first-steps-1")
    button = steps.get_by_role("button")
    button.evaluate(
        "it => { it.dataset.same = 'yes'; document.dispatchEvent(new Event('visibilitychange')); }"
    )
    expect(page.locator("#refreshed")).to_contain_text("Live")
    assert button.get_attribute("data-same") == "yes", (
        "what did not change is not put there again under a click"
    )
    operator.button("Generate a session")
    expect(page.locator(".messagelist")).to_contain_text("It left a key of 256 bits. The next step")
    watched.shoot("first-steps-2")
    wrong += violations(page)
    with page.expect_file_chooser() as chooser:
        operator.click(page.get_by_text("Choose files"))
    chooser.value.set_files({"name": "plan.txt", "mimeType": "text/plain", "buffer": CONTENT})
    expect(steps).to_contain_text("The upload is being encrypted.")
    watched.shoot("first-steps-2-sent")
    deliver(uploads[0].event)
    expect(steps).to_contain_text("plan.txt")  # without loading the page again
    watched.shoot("first-steps-3")
    operator.button("Decrypt it")
    expect(page.locator("ol.steps [aria-current]")).to_contain_text("See who did what")
    watched.shoot("first-steps-4")
    wrong += violations(page)
    with page.expect_download() as download:
        operator.link("Download")
    assert Path(download.value.path()).read_bytes() == CONTENT
    operator.link("See who did what")
    expect(page.locator("#live")).to_contain_text("file: read")
    operator.has_done("The platform is new")
    assert wrong == []
    watched.open("/admin/")
    expect(steps).to_have_count(0)
