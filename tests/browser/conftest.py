"""A headless Chromium in front of the console."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Frame,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.console import demo
from tests.console.conftest import aws, filled, nothing_known  # noqa: F401 - the same platform
from tests.waiting import LIMIT_SECONDS

FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium(live_server: Any) -> Iterator[Browser]:
    """The system's Chromium; CHROMIUM names another one. It ends before the server, so that no request outlives that."""
    httpd = live_server.thread.httpd
    httpd.daemon_threads = False  # then closing the server waits for those under way
    httpd.set_app(one_at_a_time(httpd.get_app()))
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.fail("The browser tests need Chromium: install it, or name it in CHROMIUM.", pytrace=False)
    flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        # Playwright's synchronous API runs an event loop in this thread, which Django takes for async code
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=path, args=flags, timeout=PATIENCE)
        yield browser
        browser.close()


def one_at_a_time(application: Callable[..., Any]) -> Callable[..., Any]:
    """One request at a time: all share one connection to the database in memory, and so a transaction."""
    turn = threading.Lock()

    def answer(environ: Any, start_response: Any) -> Any:
        with turn:
            return application(environ, start_response)

    return answer


PATIENCE = 240_000  # milliseconds for whatever a page is to show: only what never comes takes as long
GIVEN_UP = "net::ERR_ABORTED"


class Watched:
    """A page and everything that went wrong on it."""

    def __init__(self, page: Page, origin: str, shots: Path | None) -> None:
        self.page, self.origin, self.shots = page, origin, shots
        self.documents = 0  # that the page went on to
        self.may_ask_others = False  # where a test answers for the buckets
        self._wrong: list[str] = []
        self._asked_by: dict[Request, int] = {}
        self._given_up: list[Request] = []
        page.on("framenavigated", self._navigated)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._wrong.append(f"page error: {error}"))
        page.on("requestfailed", self._failed)
        page.on("request", self._request)
        page.on("response", self._response)

    @property
    def problems(self) -> list[str]:
        """All that went wrong. A request whose document the page has left was given up by the browser, rightly."""
        here = [request for request in self._given_up if self._asked_by[request] == self.documents]
        return [*self._wrong, *(f"failed: {request.url} {GIVEN_UP}" for request in here)]

    def _navigated(self, frame: Frame) -> None:
        if frame == self.page.main_frame:
            self.documents += 1

    def _failed(self, request: Request) -> None:
        if request.failure == GIVEN_UP:
            self._given_up.append(request)
        else:
            self._wrong.append(f"failed: {request.url} {request.failure}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            place = message.location
            self._wrong.append(
                f"console: {message.text} ({place.get('url')}:{place.get('lineNumber')}, on {self.page.url})"
            )

    def _request(self, request: Request) -> None:
        self._asked_by[request] = self.documents
        if not (self.may_ask_others or request.url.startswith((self.origin, "data:", "blob:"))):
            self._wrong.append(f"another origin: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self._wrong.append(f"{response.status}: {response.url}")

    def open(self, path: str) -> Page:
        self.page.goto(self.origin + path)
        return self.page

    def shoot(self, name: str, *, whole: bool = True) -> None:
        """Keep a picture where BROWSER_SHOTS says, for a person to look at: of the whole page, or of the window."""
        if self.shots is not None:
            self.shots.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=self.shots / f"{name}.png", full_page=whole)


@pytest.fixture
def context(chromium: Browser, live_server: Any, aws: None) -> Iterator[BrowserContext]:  # noqa: F811 - imported as a fixture
    """A fresh profile. It ends, with whatever its pages still ask for, before the AWS that answers them."""
    made = chromium.new_context(viewport={"width": 1280, "height": 800})
    made.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    yield made
    made.close()
    for thread in list(vars(live_server.thread.httpd).get("_threads", ())):
        thread.join(LIMIT_SECONDS)


@pytest.fixture
def watched(context: BrowserContext, live_server: Any) -> Watched:
    """A page on the console's origin, under watch."""
    shots = os.environ.get("BROWSER_SHOTS")
    return Watched(context.new_page(), live_server.url, Path(shots) if shots else None)


@pytest.fixture
def sign_in(context: BrowserContext, client: Client, live_server: Any) -> Callable[[Any], None]:
    """Put a signed-in session into the browser's cookies; tests/browser/test_sign_in.py comes through the page."""

    def into_browser(user: Any) -> None:
        client.force_login(user)
        cookie = client.cookies["qkd_session"]
        context.add_cookies([{"name": "qkd_session", "value": cookie.value, "url": live_server.url}])

    return into_browser


@pytest.fixture
def signed_in(
    watched: Watched,
    admin_user: Any,
    filled: demo.Demo,  # noqa: F811 - imported as a fixture
    sign_in: Callable[[Any], None],
) -> Watched:
    """An administrator at the overview."""
    sign_in(admin_user)
    watched.open("/admin/")
    return watched
