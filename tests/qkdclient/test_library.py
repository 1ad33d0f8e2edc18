"""The library: each call is one that the API has, and the commands are the library's methods."""

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

import pytest
from drf_spectacular.generators import SchemaGenerator

from apps.stack.configuration import ROOT
from qkdclient import Client, Problem
from qkdclient.api import Api
from qkdclient.catalogue import generic
from qkdclient.cli.groups import GROUPS
from qkdclient.cli.main import qkdclient
from qkdclient.cli.reference import page
from qkdclient.file_keys import KeyCache
from tests import requirement
from tests.e2e.first_use import STEPS

ANSWER: dict[str, Any] = {
    "items": [],
    "next": None,
    "package": {},
    "plaintext_base64": "",
    "ended_at": "now",
    "sha256": None,
}
SAMPLES: dict[Any, Any] = {str: "x", int: 1, float: 0.5, bool: True, bytes: b"x"}
ELSEWHERE = {
    "keep",
    "upload",
    "download",
    "fetch",
    "write_to",
    "up",
    "down",
    "get_file",
}  # shown by tests of their own


class Recorder(Api):
    """Notes what would be called."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", "key")
        self.calls: list[tuple[str, str, set[str]]] = []

    def call(self, method, path, body=None, *, query=None, **_):
        told = {name for name, value in (query or {}).items() if value is not None}
        self.calls.append((method, path, set(body or {}) | told))
        return ANSWER


def resources() -> Iterator[tuple[str, Any]]:
    client = Client("http://127.0.0.1:9", "key")
    yield from ((name, part) for name, part in vars(client).items() if not name.startswith("_"))


METHODS = sorted(
    (name, method)
    for name, resource in resources()
    for method in dir(resource)
    if not method.startswith("_") and method not in ELSEWHERE
)


@pytest.fixture(scope="module")
def operations():
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return schema["paths"], schema["components"]["schemas"]


def called_by(name: str, method: str) -> list[tuple[str, str, set[str]]]:
    client, recorder = Client("http://127.0.0.1:9", "key"), Recorder()
    resource = getattr(client, name)
    resource._api = recorder
    function = getattr(resource, method)
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    found = function(**{p.name: sample(p.annotation) for p in parameters})
    if get_origin(inspect.signature(function, eval_str=True).return_annotation) is Iterator:
        list(found)
    return recorder.calls


def sample(hint: Any) -> Any:
    """A value of an annotation."""
    if get_origin(hint) is Iterable:
        return [sample(get_args(hint)[0])]
    fits = (value for kind, value in SAMPLES.items() if hint == kind or hint == kind | None)
    return next(fits, {"kind": "x"})


def known_fields(operation: Any, schemas: Any) -> set[str]:
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in body:
        names |= set(schemas[body["$ref"].rpartition("/")[2]].get("properties", {}))
    return names


@requirement("C8")
@pytest.mark.parametrize(("name", "method"), METHODS, ids=[".".join(pair) for pair in METHODS])
def test_each_call_is_one_that_the_api_has(name, method, operations):
    paths, schemas = operations
    calls = called_by(name, method)
    assert calls
    for verb, path, told in calls:
        place = "/api/v1/" + path
        fits = [p for p in paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", p), place)]
        exact = next((p for p in fits if p == place), fits[0] if fits else None)
        assert exact, place
        assert verb.lower() in paths[exact], (verb, place)
        assert told <= known_fields(paths[exact][verb.lower()], schemas), (verb, place)


@requirement("C8")
@pytest.mark.parametrize("name", [name for name, *_ in GROUPS])
def test_the_commands_are_the_librarys_methods(name):
    group = qkdclient.commands[name]
    wanted = {method for resource, method in METHODS if resource == name.replace("-", "_")}
    wanted |= {command.replace("-", "_") for part, command in generic() if part == name}
    assert {command.replace("-", "_") for command in group.commands} == wanted  # type: ignore[attr-defined]


@requirement("C8")
def test_the_reference_page_is_that_of_the_command():
    assert (ROOT / "docs" / "client-reference.md").read_text() == page(), (
        "Run: .venv/bin/python -m qkdclient.cli.reference docs/client-reference.md"
    )


@requirement("E11", "H2")
def test_the_recorded_first_use_is_of_its_steps():
    head, *events = (ROOT / "docs" / "client-first-use.cast").read_text().splitlines()
    assert json.loads(head)["version"] == 2
    shown = "".join(json.loads(event)[2] for event in events)
    typed = [line.removeprefix("$ ") for line in shown.splitlines() if line.startswith("$ ")]
    assert typed == list(STEPS), "Run: python -m tests.e2e.first_use docs/client-first-use.cast"
    assert "Traceback" not in shown
    assert not re.search(r"qkd_?[A-Za-z0-9]*\.[A-Za-z0-9_-]{20,}", shown), "an API key"


@requirement("C8")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_it(shell):
    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "qkdclient", *arguments],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=environment,
        ).stdout

    assert "_QKDCLIENT_COMPLETE" in run("completion", shell)
    words = {"COMP_WORDS": "qkdclient ses", "COMP_CWORD": "ses" if shell == "fish" else "1"}
    assert "sessions" in run(**words, _QKDCLIENT_COMPLETE=f"{shell}_complete")


@requirement("C9")
def test_a_kept_key_is_used_again_and_then_forgotten():
    now = [0.0]
    cache = KeyCache(2, clock=lambda: now[0])
    for name in ("a", "b", "a", "c"):
        cache.get(name)
        cache.keep(name, {"name": name})
    assert [cache.get(name) for name in "abc"] == [{"name": "a"}, None, {"name": "c"}]
    now[0] = 600.0
    assert cache.get("a") is None


@requirement("C9")
def test_a_file_that_is_read_again_needs_no_second_key(platform, folder):
    stored, client = platform.put_file(b"content"), Client(platform.url, "key", cached_keys=8)
    for _ in range(3):
        assert client.download(stored.file_id, "copy", local=True).read_bytes() == b"content"
    assert sum(path.endswith("/key") for _, path in platform.requests) == 1
    stored.key = bytes(32)  # encrypted again, under another key
    platform._seal(stored, b"content")
    assert client.download(stored.file_id, "copy", local=True).read_bytes() == b"content"
    assert sum(path.endswith("/key") for _, path in platform.requests) == 2


@requirement("C8")
def test_an_opened_data_key_is_remembered_and_never_shown(platform, monkeypatch):
    asked = []

    def answer(method, path, _headers, body):
        asked.append((method, path))
        return 200, {"package": {"name": "p"}, "plaintext_base64": "a2V5"}, {}

    monkeypatch.setattr(platform, "answer", answer)
    client = Client(platform.url, "key", cached_keys=2)
    made = client.data_keys.generate(context="c")
    assert (made.key, "key" in repr(made).lower().replace("datakey", "")) == (b"key", False)
    for _ in range(3):
        assert client.data_keys.open(made.package, context="c") == b"key"
    client.data_keys.open(made.package, context="d")
    assert asked == [("POST", "/api/v1/data-keys"), *[("POST", "/api/v1/decrypt")] * 2]


@requirement("C8")
def test_a_batch_of_which_one_fails_says_which(platform, monkeypatch):
    items = [{"package": {}}, {"error": {"status": 400, "detail": "too long"}}]
    monkeypatch.setattr(platform, "answer", lambda *_: (200, {"items": items, "failed": 1}, {}))
    with pytest.raises(Problem, match="Number 1: too long"):
        Client(platform.url, "key").messages.encrypt_many([b"a", b"b"])
