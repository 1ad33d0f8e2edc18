"""The door of the embedded AWS: what a page in the user's browser could try."""

import pytest

from apps.stack.embedded.guard import Guard
from tests import requirement

CONSOLE = "http://127.0.0.1:8000"
SIGNED = b"X-Amz-Signature=abc&X-Amz-Expires=60"


def refusal(method="POST", path="/", query=b"", host="127.0.0.1:4566", **headers):
    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in named.items() if value]
    scope = {"method": method, "path": path, "query_string": query, "headers": raw}
    return Guard(4566, [CONSOLE]).refusal(scope)


@requirement("D4")
@pytest.mark.parametrize("host", ["127.0.0.1:4566", "localhost:4566", "LOCALHOST:4566"])
def test_programs_of_this_machine_enter(host):
    assert refusal(host=host) is None


@requirement("D4")
@pytest.mark.parametrize("host", ["evil.example:4566", "127.0.0.1:80", "127.0.0.1.evil.example:4566", ""])
def test_foreign_names_do_not(host):
    assert refusal(host=host) == "host"


@requirement("D4")
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:8001", CONSOLE + ".evil.example"]
)
def test_pages_of_other_origins_do_not(origin):
    assert refusal(origin=origin) == "origin"


def test_pages_of_the_console_upload():
    assert refusal("PUT", "/uploads/x", SIGNED, origin=CONSOLE, sec_fetch_site="same-site") is None
    assert refusal("OPTIONS", "/uploads/x", SIGNED, origin=CONSOLE) is None


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (SIGNED, None),
        (b"", "site"),
        (b"Action=DeleteQueue", "site"),
        (b"Action=DeleteQueue&" + SIGNED, "site"),
    ],
)
def test_without_an_origin_another_site_only_reads_presigned_objects(query, reason):
    assert refusal("GET", "/uploads/x", query, sec_fetch_site="cross-site") == reason


def test_nobody_resets_it():
    assert refusal(path="/_ministack/reset") == "path"
    assert refusal("GET", "/_ministack/health") is None
