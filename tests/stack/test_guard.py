"""The door of the embedded AWS: what a page in the user's browser could try."""

from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from botocore.config import Config

from apps.stack.embedded.guard import Guard
from tests import requirement

CONSOLE = "http://127.0.0.1:8000"
SECRET = "of this installation"


def sign(method="get_object", key="x", *, secret=SECRET, host="127.0.0.1:4566", seconds=3600, **arguments):
    """The query of an address that is signed as the platform signs it."""
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key=secret,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    url = client.generate_presigned_url(
        method, Params={"Bucket": "uploads", "Key": key, **arguments}, ExpiresIn=seconds
    )
    return urlsplit(url).path, urlsplit(url).query.encode()


SIGNED, PUT = sign()[1], sign("put_object")[1]


def refusal(method="POST", path="/", query=b"", host="127.0.0.1:4566", **headers):
    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope_path = unquote(path)
    raw = [(name.encode(), value.encode()) for name, value in named.items() if value]
    scope = {
        "method": method,
        "path": scope_path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": raw,
    }
    return Guard(4566, [CONSOLE], secret=SECRET).refusal(scope)


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
    assert refusal("PUT", "/uploads/x", PUT, origin=CONSOLE, sec_fetch_site="same-site") is None
    assert refusal("OPTIONS", "/uploads/x", PUT, origin=CONSOLE) is None


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


@requirement("D4")
@pytest.mark.parametrize("key", ["x", "a b/ü+%~'()*!.bin", "%41", "a//b", "-"])
@pytest.mark.parametrize("extra", [{}, {"ResponseContentDisposition": 'attachment; filename="ü;"x"'}])
def test_whatever_the_platform_signed_passes(key, extra):
    path, query = sign(key=key, **extra)
    assert refusal("GET", path, query, sec_fetch_site="cross-site") is None
    assert refusal("GET", path, query) is None


@requirement("D4")
def test_a_signed_header_must_be_as_it_was_signed():
    path, query = sign("put_object", ContentType="text/plain")
    assert refusal("PUT", path, query, content_type="text/plain") is None
    assert refusal("PUT", path, query, content_type="text/html") == "signature"
    assert refusal("PUT", path, query) == "signature"


@requirement("D4")
@pytest.mark.parametrize(
    "query",
    [
        b"X-Amz-Signature=x",
        b"X-Amz-Signature=",
        SIGNED.replace(b"X-Amz-Signature=", b"X-Amz-Signature=0"),
        SIGNED.replace(b"X-Amz-Expires=3600", b"X-Amz-Expires=7200"),
        SIGNED.replace(b"X-Amz-Expires=3600", b"X-Amz-Expires=x"),
        SIGNED + b"&versionId=1",
        SIGNED + b"&X-Amz-Signature=x",
        sign(secret="test")[1],
        sign(host="localhost:4566")[1],
        sign(key="y")[1],
        sign("put_object")[1],
    ],
)
def test_a_signature_of_anything_else_does_not(query):
    assert refusal("GET", "/uploads/x", query, sec_fetch_site="cross-site") == "signature"
    assert refusal("GET", "/uploads/x", query) == "signature"


@requirement("D4")
def test_an_address_ends_when_it_says(monkeypatch):
    class Later(datetime):
        @classmethod
        def now(cls, tz=None):  # noqa: ARG003 - as datetime's
            return datetime.now(UTC) + timedelta(seconds=3601)

    assert refusal("GET", "/uploads/x", SIGNED) is None
    monkeypatch.setattr("apps.stack.embedded.presigned.datetime", Later)
    assert refusal("GET", "/uploads/x", SIGNED) == "signature"
