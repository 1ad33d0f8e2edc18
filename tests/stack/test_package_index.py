"""The index that pip and uv are configured for, and one file from it."""

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError, URLError

import pytest

from apps.stack import package_index

WHEEL = "uv-1-py3-none-any.whl"


class Server(ThreadingHTTPServer):
    """A package index on loopback: pages by path, the answers that come first, and what was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = {}
        self.failures = []
        self.asked = []

    @property
    def host(self):
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers with the server's pages."""

    server: Server

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        found = self.server.pages.get(self.path)
        if self.server.failures:
            self.answer(self.server.failures.pop())
        elif found is None:
            self.answer(404)
        elif isinstance(found, str):
            self.answer(302, Location=found)
        else:
            self.answer(200)
            self.wfile.write(found)

    def answer(self, code, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def serve():
    started = []

    def start():
        server = Server()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def index(serve):
    server = serve()
    link = f'<a href="../../files/{WHEEL}#sha256=00">{WHEEL}</a><a>no target</a>'
    server.pages = {"/simple/uv/": link.encode(), f"/files/{WHEEL}": b"the wheel"}
    return server


@pytest.fixture(autouse=True)
def configuration(monkeypatch, tmp_path):
    """No configuration but what the test writes: a home and a folder for the whole machine."""
    for name in (
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
        "PIP_INDEX_URL",
        "PIP_CONFIG_FILE",
        "PIP_CERT",
        "SSL_CERT_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    monkeypatch.setattr(package_index, "MACHINES_PIP", tmp_path / "pip.conf")
    monkeypatch.setattr(package_index, "PAUSES", (0.0, 0.0))

    def write(place, text):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


USERS, MACHINES = "home/.config/pip/pip.conf", "xdg/pip/pip.conf"


def test_pypi_where_nothing_is_configured():
    assert package_index.configured() == "https://pypi.org/simple"
    assert package_index.for_uv() == {}


def test_the_strongest_setting_counts(configuration, monkeypatch):
    configuration(MACHINES, "[global]\nindex-url = https://machine.example/simple\ncert = /etc/ours.pem\n")
    assert package_index.configured() == "https://machine.example/simple"
    assert package_index.for_uv() == {
        "UV_DEFAULT_INDEX": "https://machine.example/simple",
        "SSL_CERT_FILE": "/etc/ours.pem",
    }
    configuration(USERS, "[global]\nindex_url = https://user.example/simple\n")
    assert package_index.configured() == "https://user.example/simple"
    configuration(MACHINES, "[install]\nindex-url = https://install.example/simple\n")
    assert package_index.configured() == "https://install.example/simple"
    named = configuration("named.conf", "[install]\nindex-url = https://named.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(named))
    assert package_index.configured() == "https://named.example/simple"
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")  # pip's word for none
    assert package_index.configured() == "https://pypi.org/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    assert package_index.configured() == "https://pip.example/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "ours=https://uv.example/simple")
    assert package_index.configured() == "https://uv.example/simple"
    assert "UV_DEFAULT_INDEX" not in package_index.for_uv()


@pytest.mark.parametrize("end", ["", "/"])
def test_a_file_is_found_by_its_name(index, end):
    assert package_index.fetch(f"http://{index.host}/simple{end}", "uv", WHEEL) == b"the wheel"


def test_an_index_may_be_a_folder(tmp_path):
    (tmp_path / "simple" / "uv").mkdir(parents=True)
    (tmp_path / "simple" / "uv" / "index.html").write_text(f'<a href="{WHEEL}">')
    (tmp_path / "simple" / "uv" / WHEEL).write_bytes(b"the wheel")
    assert package_index.fetch((tmp_path / "simple").as_uri(), "uv", WHEEL) == b"the wheel"


def test_a_file_that_the_index_does_not_have(index):
    with pytest.raises(LookupError, match="does not have this file"):
        package_index.fetch(f"http://{index.host}/simple", "uv", "uv-2-py3-none-any.whl")


def test_a_failing_index_is_asked_again_and_a_refusing_one_is_not(index):
    index.failures = [503, 503]
    assert package_index.fetch(f"http://{index.host}/simple", "uv", WHEEL) == b"the wheel"
    index.failures = [503, 503, 503]
    with pytest.raises(HTTPError, match="503"):
        package_index.fetch(f"http://{index.host}/simple", "uv", WHEEL)
    index.asked.clear()
    with pytest.raises(HTTPError, match="404"):
        package_index.fetch(f"http://{index.host}/simple", "ruff", WHEEL)
    assert len(index.asked) == 1


def test_an_index_that_does_not_answer(serve):
    server = serve()
    server.shutdown()
    server.server_close()
    with pytest.raises(URLError, match="refused"):
        package_index.fetch(f"http://{server.host}/simple", "uv", WHEEL)


def test_a_password_goes_to_its_own_host_only(index, serve):
    store = serve()
    store.pages[f"/{WHEEL}"] = index.pages[f"/files/{WHEEL}"]
    index.pages[f"/files/{WHEEL}"] = f"http://{store.host}/{WHEEL}"  # as an index in front of a bucket does
    url = f"http://who:p%40ss@{index.host}/simple"
    assert package_index.fetch(url, "uv", WHEEL) == b"the wheel"
    expected = "Basic " + base64.b64encode(b"who:p@ss").decode()
    assert index.asked == [("/simple/uv/", expected), (f"/files/{WHEEL}", expected)]
    assert store.asked == [(f"/{WHEEL}", None)]


def test_a_password_is_not_shown():
    assert package_index.without_password("https://who:secret@host.example:8443/simple") == (
        "https://host.example:8443/simple"
    )
