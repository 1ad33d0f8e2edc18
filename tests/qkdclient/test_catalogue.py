"""The catalogue has what the API's schema has, and each operation is within reach of library and command."""

import contextlib
import copy
import json
import re
from typing import Any

import pytest

from qkdclient import Exit, Problem, catalogue
from qkdclient.catalogue import BY_HAND, GROUPS, LEFT_OUT, generic, operations
from qkdclient.cli.main import main, qkdclient
from qkdplatform import client_catalogue
from tests import requirement
from tests.qkdclient.test_library import METHODS, called_by

OLD = "Run: make pages"
TRANSFERS = {
    "files.upload",
    "files.download",
    "files.keep",
    "reports.get_file",
    "whoami",
}  # shown by tests of their own
# Fields that a method of the library does not pass on, and why; `client.operations` and `qkdclient api` do
NOT_PASSED = {
    "generate_batch": {"eavesdropper"},  # one study at a time, by generate
}


FILE = {"file_id": "f", "name": "a", "status": "encrypted", "size": 1}


@pytest.fixture(scope="module")
def schema():
    return client_catalogue.catalogue(client_catalogue.schema())


def without_texts(found):
    """What decides how an operation is called."""
    fields = {name: (told["in"], told.get("required", False)) for name, told in found["fields"].items()}
    return found["method"], found["path"], found.get("etag", False), found.get("paged", False), fields


@requirement("E11")
def test_the_catalogue_has_every_operation_of_the_schema(schema):
    kept = json.loads(client_catalogue.PATH.read_text())
    assert kept.keys() == schema.keys(), OLD
    addresses = {name: (found["method"], found["path"]) for name, found in kept.items()}
    assert addresses == {name: (found["method"], found["path"]) for name, found in schema.items()}, OLD


@requirement("E11")
def test_every_operation_is_a_command_or_left_out_with_a_reason(schema):
    assert all(LEFT_OUT.values())
    assert operations().keys() == schema.keys() - LEFT_OUT.keys()
    assert not BY_HAND.keys() - operations().keys()
    by_generic = {operation.name for operation in generic().values()}
    assert by_generic | BY_HAND.keys() == operations().keys(), "two operations have one command"
    for (group, command), operation in generic().items():
        made = qkdclient.commands[group].commands[command]  # type: ignore[attr-defined]
        told = {parameter.name for parameter in made.params}
        assert operation.fields.keys() <= told, operation.name
    assert set(qkdclient.commands["api"].list_commands(None)) == {  # type: ignore[attr-defined]
        name.replace("_", "-") for name in operations()
    }


@requirement("E11")
@pytest.mark.parametrize("name", sorted(set(BY_HAND) - {n for n, by in BY_HAND.items() if by in TRANSFERS}))
def test_what_a_method_does_by_hand_is_the_whole_operation(name):
    part, _, method = BY_HAND[name].partition(".")
    operation = operations()[name]
    pattern = re.sub(r"\{\w+\}", "[^/]+", operation.path)
    calls = [
        told
        for verb, path, told in called_by(part, method)
        if verb == operation.method and re.fullmatch(pattern, path)
    ]
    assert calls, f"{BY_HAND[name]} does not call {name}"
    needed = {field.name for field in operation.fields.values() if field.place != "path"}
    alternatives = {"plaintext"}  # text, where plaintext_base64 is sent
    assert needed - calls[0] - alternatives == NOT_PASSED.get(name, set())


@requirement("E11")
def test_methods_by_hand_are_methods():
    known = {f"{part}.{method}" for part, method in METHODS} | TRANSFERS
    assert set(BY_HAND.values()) <= known
    assert set(GROUPS.values()) <= set(qkdclient.commands)


@pytest.fixture
def answers(platform, monkeypatch):
    """What the stand-in is asked, and what it answers."""
    seen, answer = list[Any](), {"items": list[Any](), "next": None, **FILE}

    def asked(method, path, headers, body):
        seen.append((method, path, json.loads(body) if body else None, headers.get("If-Match")))
        return 200, answer, {"ETag": '"tag-1"'}

    monkeypatch.setattr(platform, "answer", asked)
    monkeypatch.setenv("QKD_URL", platform.url)
    monkeypatch.setenv("QKD_API_KEY", "key")
    return seen


@requirement("E11", "E9")
def test_the_library_calls_any_operation_by_its_name(answers, client):
    changed = client.links.change("a/b c", users=["*"], site_a=None, if_match="tag-0")
    assert changed["etag"] == "tag-1"
    client.operations.call("create_group", name="readers", body={"new_field": 1})
    client.pools.point_alias("files", pool="default", reason="r")
    assert list(client.saes.list(limit=3)) == []
    assert answers == [
        ("PATCH", "/api/v1/links/a%2Fb%20c", {"users": ["*"], "site_a": None}, '"tag-0"'),
        ("POST", "/api/v1/groups", {"new_field": 1, "name": "readers"}, None),
        ("PUT", "/api/v1/pool-aliases/files", {"pool": "default", "reason": "r"}, None),
        ("GET", "/api/v1/saes?limit=3", None, None),
    ]


@requirement("E11")
@pytest.mark.parametrize(
    ("name", "things", "given", "says"),
    [
        ("change_link", (), {}, "link_id"),
        ("change_link", ("",), {}, "link_id"),
        ("change_link", ("a",), {"colour": 1}, "colour"),
        ("create_link", (), {"name": "A"}, "link_id"),
        ("list_links", (), {"if_match": "x"}, "if_match"),
        ("get_link", ("a",), {"limit": 1}, "limit"),
        ("get_link", ("a",), {"body": {"a": 1}}, "body"),
    ],
)
def test_a_call_that_the_api_does_not_have_is_refused_before_it_is_sent(
    name, things, given, says, answers, client
):
    with pytest.raises(TypeError, match=says):
        client.operations.call(name, *things, **given)
    assert answers == []


@requirement("E11")
@pytest.mark.parametrize("file_id", ["..", ".", "", "../links/lab", "f?x=1", "f#x"])
def test_an_id_leads_to_no_other_address(file_id, answers, client):
    for ask in (client.files.get, client.files.delete, client.files.restore):
        with pytest.raises(Problem):
            ask(file_id)
    with contextlib.suppress(Problem, TypeError):
        client.links.get(file_id)
    assert [path for _, path, *_ in answers if not path.startswith("/api/v1/links/")] == []


@requirement("E11")
def test_what_there_is_not_is_no_attribute(client):
    for get in (lambda: client.nonsense, lambda: client.links.nonsense, lambda: client.pools.nonsense):
        with pytest.raises(AttributeError):
            get()
    assert "change_file" in list(client.operations)
    assert client.operations.about("change_file").etag
    with pytest.raises(Problem):  # which a copy asks for in the same way
        copy.copy(client.links).get("..")


@requirement("E11", "E9")
@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (
            ["links", "change", "a", "--users", "*", "--users", "user:1", "--unset", "target", "--if-match", "tag-1"],
            ("PATCH", "/api/v1/links/a", {"users": ["*", "user:1"], "target": None}, '"tag-1"'),
        ),
        (
            ["webhooks", "make", "--webhook-url", "https://a.example", "--types", "case.opened"],
            ("POST", "/api/v1/webhooks", {"url": "https://a.example", "types": ["case.opened"]}, None),
        ),
        (
            ["api", "change-file", "f", "--name", "new", "--attributes", '{"a": 1}'],
            ("PATCH", "/api/v1/files/f", {"name": "new", "attributes": {"a": 1}}, None),
        ),
        (
            ["--json", "files", "update", "f", "--type", "report", "--keep-for-good", "--if-match", "t"],
            ("PATCH", "/api/v1/files/f", {"document_type": "report", "expires_at": None}, '"t"'),
        ),
        (
            ["principals", "change", "user:1", "--no-approver", "--body", "more.json"],
            ("PATCH", "/api/v1/principals/user%3A1", {"approver": False, "groups": []}, None),
        ),
        (
            ["keys", "import", "--suite", "mlkem768-raw", "--reason", "r", "--seed-file", "seed"],
            ("POST", "/api/v1/keys", {"suite": "mlkem768-raw", "reason": "r", "seed": "c2VlZA=="}, None),
        ),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_command_calls_its_operation(arguments, wanted, answers, folder, capfd):
    (folder / "more.json").write_text('{"groups": []}')
    (folder / "seed").write_text("c2VlZA==\n")
    code = main(arguments)
    assert (code, answers) == (0, [wanted]), capfd.readouterr()


@requirement("E11")
@pytest.mark.parametrize(
    "arguments",
    [["links", "create", "--name", "A"], ["links", "change"], ["groups", "create", "--body", "none.json"],
     ["groups", "create", "--body", "list.json"], ["groups", "create", "--body", "binary"],
     ["api", "encrypt-message", "--plaintext-file", "binary"], ["api", "no-such-thing"], ["links", "get", ""]],
    ids=" ".join,
)  # fmt: skip
def test_a_command_that_says_too_little_is_refused(arguments, answers, folder, capfd):
    (folder / "list.json").write_text("[]")
    (folder / "binary").write_bytes(b"\xff\xfe")
    assert main(arguments) != Exit.DONE
    assert answers == []
    assert "Traceback" not in capfd.readouterr().err


@requirement("E11", "C11")
def test_a_plaintext_is_sent_as_it_stands_in_its_file(answers, folder):
    text = "  indented\r\nGrüße\n\n"
    (folder / "text").write_bytes(text.encode())
    assert main(["api", "encrypt-message", "--plaintext-file", "text"]) == 0
    assert [body for _, _, body, _ in answers] == [{"plaintext": text}]


@requirement("E11")
def test_a_list_is_a_table_or_a_line_of_json_each(answers, platform, monkeypatch, capfd):
    pages = {"cursor=2": ([{"sae_id": "c", "name": "C", "peers": []}], None)}

    def asked(_method, path, _headers, _body):
        items, following = next(
            (page for part, page in pages.items() if part in path),
            (
                [
                    {"sae_id": "a", "name": "A\x1b[2J", "peers": []},
                    {"sae_id": "b", "name": None, "peers": []},
                ],
                "2",
            ),
        )
        return 200, {"items": items, "next": following}, {}

    monkeypatch.setattr(platform, "answer", asked)
    assert main(["saes", "list"]) == 0
    assert [line.split() for line in capfd.readouterr().out.splitlines()] == [
        ["a", r"A\x1b[2J"],
        ["b", "-"],
        ["c", "C"],
    ]
    assert main(["saes", "list", "--json", "--limit", "2"]) == 0
    assert [json.loads(line)["sae_id"] for line in capfd.readouterr().out.splitlines()] == ["a", "b"]


@requirement("E11")
def test_secrets_are_no_options(schema):
    shown = [
        (name, field)
        for name, found in schema.items()
        for field, told in found["fields"].items()
        if re.search("seed|secret|passphrase|plaintext|private", field) and not told.get("secret")
    ]
    assert shown == []
    assert catalogue.operations()["import_pool_key"].fields["seed"].secret


@requirement("E9")
def test_a_refused_precondition_is_told(client, platform):
    platform.faults.append(lambda *_: "412")
    with pytest.raises(Problem) as refused:
        client.links.change("a", name="b", if_match="old")
    assert refused.value.status == 412


@pytest.mark.slow
@requirement("E11")
def test_the_catalogue_is_made_from_the_schema_of_now(schema):
    kept = json.loads(client_catalogue.PATH.read_text())
    assert {n: without_texts(f) for n, f in kept.items()} == {
        n: without_texts(f) for n, f in schema.items()
    }, OLD
