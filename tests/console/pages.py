"""The lists of the console and what a page is made of."""

from collections import Counter, deque
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.contrib.messages import get_messages
from django.contrib.staticfiles import finders
from django.urls import resolve, reverse

LISTS = {
    "qkd_sessions.view_session": "/admin/qkd_sessions/session/",
    "detections.view_detection": "/admin/detections/detection/",
    "keys.view_poolkey": "/admin/keys/poolkey/",
    "files.view_file": "/admin/files/file/",
    "audit.view_entry": "/admin/audit/entry/",
    "jobs.view_job": "/admin/jobs/job/",
    "access.view_apikey": "/admin/access/apikey/",
    "keys.view_pool": "/admin/keys/pool/",
    "custody.view_rotation": "/admin/custody/rotation/",
    "custody.view_approval": "/admin/custody/approval/",
    "links.view_link": "/admin/links/link/",
    "cases.view_case": "/admin/cases/case/",
    "files.view_message": "/admin/files/message/",
}
# Lists that are empty in tests/console/demo.py, or are of no table
OTHERS = {
    "alerts.view_alert": "/admin/alerts/alert/",
    "operations.view_letter": "/admin/operations/letter/",
    "operations.view_schedule": "/admin/operations/schedule/",
    "custody.view_rootkey": "/admin/custody/rootkey/",
    "reports.view_report": "/admin/reports/report/",
    "kme.view_sae": "/admin/kme/sae/",
}
(
    SESSIONS,
    DETECTIONS,
    POOL,
    FILES,
    AUDIT,
    JOBS,
    CLIENTS,
    POOLS,
    ROTATIONS,
    APPROVALS,
    LINKS,
    CASES,
    MESSAGES,
) = LISTS.values()
ALERTS, LETTERS, SCHEDULES, ROOT_KEYS, REPORTS, SAES = OTHERS.values()


def act(
    client: Any, url: str, action: str, ids: list[str], *, once: str = "", follow_to: str = "", **given: str
) -> Any:
    """Send the form of an action's page, as the page that was just opened would."""
    address = f"{url}do/{action}/"
    query = {"id": ids} | ({"back": follow_to} if follow_to else {})
    token = once or client.get(address, query).context["once"]
    back = {"back": follow_to} if follow_to else {}
    return client.post(address, {"id": ids, "once": token, **back, **given})


def send(client: Any, url: str, **given: str) -> Any:
    """Send a form that makes something, as its page that was just opened would."""
    return client.post(url, given | {"once": client.get(url).context["once"]})


def ids(response: Any) -> list[str]:
    """Return the ids on a page of a list."""
    return [str(shown.pk) for shown in response.context["cl"].result_list]


def messages_of(response: Any) -> list[str]:
    """Return the messages of a response."""
    return [str(message) for message in get_messages(response.wsgi_request)]


class Elements(HTMLParser):
    """Every element of a page: tag, attributes, and the text directly in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))

    def handle_data(self, data: str) -> None:
        if self.found and data.strip():
            self.found[-1][2].append(data)

    def links(self) -> set[str]:
        """Return where the page leads to and what it loads."""
        targets = (attributes.get("href") or attributes.get("src") for _, attributes, _ in self.found)
        return {target for target in targets if target and not target.startswith(("#", "data:"))}

    def inline(self) -> list[str]:
        """Return what the content security policy would have to allow specially."""
        wrong = []
        for tag, attributes, text in self.found:
            if tag == "style" or "style" in attributes:
                wrong.append(f"<{tag}> with a style")
            if tag == "script" and text and attributes.get("type") != "application/json":
                wrong.append("<script> with a text")
            wrong += [f"<{tag} {name}>" for name in attributes if name.startswith("on")]
        return wrong


def kind_of(address: str) -> tuple[str, tuple[str, ...]]:
    """Return which view an address leads to, and with which parameters."""
    parts = urlsplit(address)
    names = sorted({pair.split("=")[0] for pair in parts.query.split("&")})
    return str(resolve(parts.path).view_name), tuple(names)


def links_of(page: Any, address: str) -> list[str]:
    """Return where a page leads to on this site, without fragments."""
    targets = (
        urljoin(address, target).partition("#")[0] for target in Elements(page.content.decode()).links()
    )
    found = sorted(set(targets))
    assert all(target.startswith("/") for target in found), address
    return found


def crawled(client: Any, *, of_a_kind: int) -> Iterator[tuple[str, Any]]:
    """Open the overview and all that it leads to: so many pages of each view with the same parameters."""
    waiting, seen, kinds = deque(["/admin/"]), {"/admin/"}, Counter[object]()
    while waiting:
        address = waiting.popleft()
        path = urlsplit(address).path
        if path.startswith(settings.STATIC_URL):
            assert finders.find(path.removeprefix(settings.STATIC_URL)), address
            continue
        kinds[kind_of(address)] += 1
        if kinds[kind_of(address)] > of_a_kind:
            continue
        page = client.get(address, follow=path == reverse("admin:find"))  # which leads to what was found
        yield address, page
        if page.status_code == 200 and page.headers["Content-Type"].startswith("text/html"):
            fresh = [target for target in links_of(page, address) if target not in seen]
            seen.update(fresh)
            waiting.extend(fresh)
