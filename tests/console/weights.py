"""What a page weighs: its own bytes, and those of all that it loads from the static files, uncompressed."""

from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders

from tests.console.pages import Elements

MAX_BYTES = 500 * 1024
LOADS = {"script": "src", "img": "src", "link": "href"}


def whole_weight(page: Any, address: str) -> int:
    """Bytes of a page and its style sheets, scripts and images."""
    total = len(page.content)
    if not page.headers["Content-Type"].startswith("text/html"):
        return total
    wanted = {
        urlsplit(urljoin(address, found)).path
        for tag, attributes, _ in Elements(page.content.decode()).found
        if tag in LOADS and (found := attributes.get(LOADS[tag]))
    }
    for path in wanted:
        if path.startswith(settings.STATIC_URL):
            total += _size(path.removeprefix(settings.STATIC_URL))
    return total


def _size(name: str) -> int:
    file = finders.find(name)
    if file is None:  # with the digest of its content in its name, where the files were collected
        stem, _, rest = name.rpartition(".")
        file = finders.find(f"{stem.rpartition('.')[0]}.{rest}")
    if file is None:
        raise FileNotFoundError(name)
    return Path(file).stat().st_size
