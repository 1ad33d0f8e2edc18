"""Requests of ETSI GS QKD 014 V1.1.1 as they are read, and answers as they are written (clause 6)."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings

from apps.common.errors import Invalid, PlatformError
from apps.kme.issuing import Supply
from apps.kme.limits import KeyRequest, refused
from apps.kme.records import GivenKey
from qkdseal import JsonInvalid, read_json

LINK = "link_id"  # the extension of ours: over whose sessions the keys have to come
UNSUPPORTED = "not all extension_mandatory parameters are supported"  # the standard's words, as the next one
UNMET = "not all extension_mandatory request options could be met"
REQUEST_FIELDS = ("number", "size", "additional_slave_SAE_IDs", "extension_mandatory", "extension_optional")
KEY_FIELDS = ("key_IDs", "key_IDs_extension")
KEY_ID_FIELDS = ("key_ID", "key_ID_extension")
MOST_FIELDS = 100  # of a query


def read_query(text: str, allowed: Sequence[str]) -> dict[str, str]:
    """Read the query of a request: known names, each once.

    Raises:
        Invalid: names what is wrong.
    """
    try:
        pairs = parse_qsl(
            text,
            keep_blank_values=True,
            strict_parsing=bool(text),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise Invalid("the query cannot be read") from None
    for name, _ in pairs:
        if name not in allowed:
            raise refused(name[:64], f"by GET only {', '.join(allowed)} can be given")
    if len(dict(pairs)) < len(pairs):
        raise Invalid("a parameter is given more than once")
    return dict(pairs)


def numbers_of(query: Mapping[str, str]) -> dict[str, Any]:
    """The values of a query, in which everything is text, as numbers where they are some."""
    return {
        name: int(value) if re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) else value
        for name, value in query.items()
    }


def read_object(body: bytes, allowed: Sequence[str]) -> dict[str, Any]:
    """Read a body: an object of known names, or nothing.

    Raises:
        Invalid: names what is wrong.
    """
    if not body.strip():
        return {}
    try:
        found = read_json(body.decode("utf-8"))
    except (JsonInvalid, UnicodeDecodeError):
        raise Invalid("the body is no JSON") from None
    return _object(found, "body", allowed)


def _object(found: Any, name: str, allowed: Sequence[str]) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise refused(name, f"{name} shall be an object")
    for one in found:
        if one not in allowed:
            raise refused(one[:64], f"unknown; known are {', '.join(allowed)}")
    return {one: value for one, value in found.items() if value is not None}


def key_request(slave: str, asked: Mapping[str, Any]) -> tuple[KeyRequest, str | None, str | None]:
    """A request for keys, with the link that it must have and the one that it would like.

    Raises:
        Invalid: names the field and what is allowed, in the standard's words where it has some.
    """
    additional = asked.get("additional_slave_SAE_IDs", [])
    if not isinstance(additional, list) or not all(isinstance(one, str) and one for one in additional):
        raise refused("additional_slave_SAE_IDs", "additional_slave_SAE_IDs shall be an array of strings")
    mandatory = _extensions(asked, "extension_mandatory")
    if any(name != LINK for name, _ in mandatory):
        raise refused("extension_mandatory", UNSUPPORTED)
    links = {value if isinstance(value, str) else None for _, value in mandatory}
    if None in links or len(links) > 1:
        raise refused("extension_mandatory", UNMET)
    wishes = [value for name, value in _extensions(asked, "extension_optional") if name == LINK]
    request = KeyRequest(
        slave,
        number=_whole(asked, "number", 1),
        size=_whole(asked, "size", None),
        additional=tuple(additional),
    )
    wish = wishes[0] if wishes and isinstance(wishes[0], str) else None
    return request, next(iter(links), None), wish


def _extensions(asked: Mapping[str, Any], field: str) -> list[tuple[str, Any]]:
    found = asked.get(field, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise refused(field, f"{field} shall be an array of objects")
    return [pair for one in found for pair in one.items()]


def _whole(asked: Mapping[str, Any], name: str, default: Any) -> Any:
    value = asked.get(name, default)
    if value is default or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise refused(name, f"{name} shall be an integer")


def key_ids(asked: Mapping[str, Any]) -> list[str]:
    """The ids of the keys that a slave asks for.

    Raises:
        Invalid: names what is wrong.
    """
    found = asked.get("key_IDs")
    if not isinstance(found, list):
        raise refused("key_IDs", "key_IDs shall be an array of objects")
    named = [_object(one, "key_IDs", KEY_ID_FIELDS).get("key_ID") for one in found]
    if not all(isinstance(one, str) for one in named):
        raise refused("key_ID", "key_ID shall be a string")
    return [str(one) for one in named]


def status_of(found: Supply) -> dict[str, Any]:
    """The status (clause 6.1)."""
    return {
        "source_KME_ID": settings.KME_ID,
        "target_KME_ID": found.target,
        "master_SAE_ID": found.master,
        "slave_SAE_ID": found.slave,
        "key_size": settings.KME_KEY_BITS,
        "stored_key_count": found.stored,
        "max_key_count": settings.KME_MAX_KEY_COUNT,
        "max_key_per_request": settings.KME_MAX_KEYS_PER_REQUEST,
        "max_key_size": settings.KME_MAX_KEY_BITS,
        "min_key_size": settings.KME_MIN_KEY_BITS,
        "max_SAE_ID_count": settings.KME_MAX_SAE_IDS,
    }


def container_of(keys: Sequence[GivenKey]) -> dict[str, Any]:
    """The key container (clause 6.3)."""
    return {"keys": [{"key_ID": one.key_id, "key": base64.b64encode(one.key).decode()} for one in keys]}


def error_of(problem: PlatformError) -> dict[str, Any]:
    """The error (clause 6.5)."""
    body: dict[str, Any] = {"message": problem.detail}
    if problem.errors:
        body["details"] = [{error.field: error.message} for error in problem.errors]
    return body
