"""The package index that uv and pip are configured for, and a file from it. Standard library only."""

from __future__ import annotations

import configparser
import os
import re
import ssl
import sys
import time
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPPasswordMgrWithPriorAuth,
    HTTPSHandler,
    OpenerDirector,
    build_opener,
)

PYPI = "https://pypi.org/simple"
MACHINES_PIP = Path("/etc/pip.conf")
UV_NAMES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
PAUSES = (1.0, 3.0)  # seconds before what a network may have broken is tried again
TIMEOUT_SECONDS = 60.0


def configured() -> str:
    """Return the URL of the index: from uv's environment, from pip's, from pip's files, or PyPI."""
    for name in UV_NAMES:
        if os.environ.get(name):
            # uv also takes "name=https://..."
            return re.sub(r"^[\w-]+=(?=\w+:)", "", os.environ[name])
    return pip_setting("index-url") or PYPI


def for_uv() -> dict[str, str]:
    """Return what uv has to be told in its environment, since it does not read pip's configuration."""
    told = {}
    if not any(os.environ.get(name) for name in UV_NAMES) and pip_setting("index-url"):
        told["UV_DEFAULT_INDEX"] = configured()
    if "SSL_CERT_FILE" not in os.environ and pip_setting("cert"):
        told["SSL_CERT_FILE"] = str(pip_setting("cert"))
    return told


def pip_setting(name: str) -> str | None:
    """Return a setting of pip's, looked up as pip does: the environment, then files; ``install``, then ``global``."""
    told = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if told:
        return told
    files = [parsed(path) for path in pip_files() if path.is_file()]
    for section in ("install", "global"):
        for file in files:
            for key in (name, name.replace("-", "_")):
                if file.get(section, key, fallback=""):
                    return file.get(section, key)
    return None


def parsed(path: Path) -> configparser.RawConfigParser:
    file = configparser.RawConfigParser()
    file.read(str(path), encoding="utf-8")
    return file


def pip_files() -> list[Path]:
    """Return where pip looks for its configuration, the strongest first."""
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    if named and Path(named).exists():  # then pip leaves the user's out
        own = [Path(named)]
    else:
        home = Path.home()
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        mac = home / "Library" / "Application Support"
        own = [mac / "pip" / "pip.conf", config / "pip" / "pip.conf", home / ".pip" / "pip.conf"]
    shared = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    if sys.platform == "darwin":
        shared = ["/Library/Application Support"]
    return [*own, MACHINES_PIP, *(Path(folder) / "pip" / "pip.conf" for folder in shared)]


def without_password(url: str) -> str:
    """Return a URL that may be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def fetch(index: str, package: str, name: str) -> bytes:
    """Return a file of a package.

    Raises:
        OSError, HTTPException: the index does not answer, or answers with an error.
        LookupError: the index answers, and does not have the file.
    """
    opener = opener_for(index)
    page = without_password(index).rstrip("/") + "/" + package + "/"
    if page.startswith("file:"):
        page += "index.html"  # a server adds that by itself
    address, content = read(opener, page)
    links = Links(content.decode("utf-8", "replace"))
    for link in links.found:
        if unquote(urlsplit(link).path).rpartition("/")[2] == name:
            return read(opener, urljoin(address, link))[1]
    raise LookupError("it does not have this file")


class Links(HTMLParser):
    """The targets of a page's links, as PEP 503 has them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def opener_for(index: str) -> OpenerDirector:
    """Return what opens URLs with the index's user and password, sent to its own host only, and pip's certificates."""
    parts = urlsplit(index)
    passwords = HTTPPasswordMgrWithPriorAuth()
    if parts.username is not None:
        host = without_password(urlunsplit((parts.scheme, parts.netloc, "/", "", "")))
        user, password = unquote(parts.username), unquote(parts.password or "")
        passwords.add_password(None, host, user, password, is_authenticated=True)
    trusted = ssl.create_default_context(cafile=pip_setting("cert"))
    return build_opener(HTTPBasicAuthHandler(passwords), HTTPSHandler(context=trusted))


def read(opener: OpenerDirector, url: str) -> tuple[str, bytes]:
    """Return where a URL led to, and what was there."""
    pauses = list(PAUSES)
    while True:
        try:
            with opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
                return answer.geturl(), answer.read()
        except (OSError, HTTPException) as error:
            refused = isinstance(error, HTTPError) and error.code < 500
            if refused or not pauses:
                raise
            time.sleep(pauses.pop(0))
