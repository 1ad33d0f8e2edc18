"""The operations of the API as the client has them, made from the schema: ``manage.py pages`` writes the file."""

import json
import re
from typing import Any

from django.conf import settings
from drf_spectacular.generators import SchemaGenerator

PATH = settings.BASE_DIR / "qkdclient" / "catalogue.json"
PREFIX = "/api/v1/"
KINDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "flag", "object": "json"}
# Shown in the list of processes and in the shell's history, were they options
SECRETS = frozenset({"passphrase", "plaintext", "plaintext_base64"})
PAGED = frozenset({"cursor", "limit"})  # the client's own
SCOPE = re.compile(r"\s*Needs the scope.*", re.DOTALL)


def schema() -> dict[str, Any]:
    """The API's schema, as ``/api/schema`` shows it."""
    generator: Any = SchemaGenerator  # not typed
    made: dict[str, Any] = generator().get_schema(request=None, public=True)
    return made


def catalogue(schema: dict[str, Any]) -> dict[str, Any]:
    """What the client knows of each operation, by its name."""
    parts = schema["components"]["schemas"]
    found = {
        operation["operationId"]: _operation(method, path, operation, parts)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }
    return dict(sorted(found.items()))


def text() -> str:
    """The file, as it should be now."""
    return json.dumps(catalogue(schema()), indent=1, ensure_ascii=False) + "\n"


def _operation(method: str, path: str, operation: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    parameters = operation.get("parameters", [])
    fields: dict[str, Any] = {}
    for given in parameters:
        if given["in"] in {"path", "query"} and given["name"] not in PAGED:
            fields[given["name"]] = _field(
                given["name"], given["in"], given["schema"], given.get("required", False), given, parts
            )
    body = _body(operation, parts)
    for name, about in body.get("properties", {}).items():
        if name in fields:
            raise ValueError(f"{operation['operationId']} has two fields {name}.")
        fields[name] = _field(name, "body", about, name in body.get("required", ()), about, parts)
    names = {given["name"] for given in parameters}
    flags = {"etag": "If-Match" in names, "paged": "cursor" in names}
    return {
        "method": method.upper(),
        "path": path.removeprefix(PREFIX),
        "about": SCOPE.sub("", operation.get("description", "")).replace("``", "").strip(),
        **{name: True for name, told in flags.items() if told},
        "fields": dict(sorted(fields.items(), key=lambda item: item[1]["in"] != "path")),
    }


def _body(operation: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    found: dict[str, Any] = _resolved(content["application/json"]["schema"], parts) if content else {}
    return found


def _field(
    name: str,
    place: str,
    about: dict[str, Any],
    required: bool,
    described: dict[str, Any],
    parts: dict[str, Any],
) -> dict[str, Any]:
    kind = _resolved(about, parts)
    told = described.get("description", "").partition("\n")[0]
    made: dict[str, Any] = {"in": place, "kind": _kind(kind, parts)}
    if required:
        made |= {"required": True}
    each = _resolved(kind["items"], parts) if "items" in kind else kind
    if choices := each.get("enum"):
        made |= {"choices": [choice for choice in choices if choice is not None]}
        told = "" if told.startswith("* ") else told
    if "null" in (kind.get("type") or ()) or {"type": "null"} in kind.get("oneOf", ()):
        made |= {"nullable": True}
    if kind.get("writeOnly") or name in SECRETS:
        made |= {"secret": True}
    return made | ({"about": told} if told else {})


def _resolved(about: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    """A part of the schema with what it refers to."""
    for whole in about.get("allOf", ()):
        about = {
            **_resolved(whole, parts),
            **{name: value for name, value in about.items() if name != "allOf"},
        }
    if "$ref" in about:
        return _resolved(parts[about["$ref"].rpartition("/")[2]], parts) | {
            name: value for name, value in about.items() if name != "$ref"
        }
    return about


def _kind(about: dict[str, Any], parts: dict[str, Any]) -> str:
    kinds = about.get("type", "object" if "oneOf" in about else "string")
    [kind] = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    if kind == "array":
        return "texts" if _kind(_resolved(about["items"], parts), parts) == "text" else "json"
    return KINDS[kind]
