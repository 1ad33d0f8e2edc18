"""The lists of the console and what a page is made of."""

from html.parser import HTMLParser
from typing import Any

from django.contrib.messages import get_messages

LISTS = {
    "qkd_sessions.view_session": "/admin/qkd_sessions/session/",
    "detections.view_detection": "/admin/detections/detection/",
    "keys.view_poolkey": "/admin/keys/poolkey/",
    "files.view_file": "/admin/files/file/",
    "audit.view_entry": "/admin/audit/entry/",
    "jobs.view_job": "/admin/jobs/job/",
    "access.view_apikey": "/admin/access/apikey/",
}
SESSIONS, DETECTIONS, POOL, FILES, AUDIT, JOBS, CLIENTS = LISTS.values()


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
