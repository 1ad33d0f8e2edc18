"""ETSI GS QKD 014 V1.1.1 as a WSGI application: Get status, Get key, Get key with key IDs.

Beside it, what another site of the platform asks for (``kme.sites``); and nothing else.

It trusts one thing: that whoever calls it puts the certificate of the client, as TLS verified it, under CERTIFICATE, and
nothing that the client sent. No header can: those have names that begin with ``HTTP_``.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from apps.access import limits as sources
from apps.audit.records import Actor
from apps.common import problems, request_ids
from apps.common.errors import Invalid, NotFound, PlatformError, Unavailable, place_of
from apps.kme import collecting, issuing, limits, saes
from apps.kme.api import messages
from apps.kme.records import NotAuthorised, Sae
from apps.kme.sites import answering
from apps.links import services as links
from apps.links.records import LinkNotFound

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

CERTIFICATE = "kme.certificate"  # in PEM
PATH = re.compile(
    r"/api/v1/(keys/([^/]{1,64})/(?:status|enc_keys|dec_keys)|sites/([^/]{1,64})/(?:statuses|deliveries))"
)
MOST_BYTES = 65_536  # of a body: 32 ids have 2 KB
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}  # fmt: skip
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """A request of an application."""

    sae: Sae
    actor: Actor
    method: str
    peer: str  # that the address names; of another site's requests the link
    query: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What it is answered."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


class WrongMethod(PlatformError):
    status, type, title = 405, "method-not-allowed", "Method not allowed"


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer one request."""
    request_id = request_ids.begin(environ)
    answer = _answered(environ)
    content = json.dumps(answer.body, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        "Cache-Control": "no-store",
        request_ids.HEADER: request_id,
        **answer.headers,
    }
    start_response(f"{answer.status} {REASONS[answer.status]}", list(headers.items()))
    # A server sends what it is given: after an answer to HEAD it would be read as the next one
    return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else content]


def _answered(environ: "WSGIEnvironment") -> Answer:
    try:
        peer, action = _address(str(environ.get("PATH_INFO", "")))
        call = _call(environ, peer)
        serve, methods = ACTIONS[action]
        if call.method not in methods:
            return _refusal(WrongMethod(f"use {' or '.join(methods)}"), {"Allow": ", ".join(methods)})
        answer = Answer(200, serve(call))
    except Exception as error:  # noqa: BLE001 - whatever it is, the application is answered in JSON
        return _refusal(_as_told(error))
    log.info("%s: %s %s", call.sae.sae_id, call.method, action)
    return answer


def _address(path: str) -> tuple[str, str]:
    """The application, or the link, and the action that an address names.

    Raises:
        NotFound: it names none.
    """
    found = PATH.fullmatch(path)
    if found is None:
        raise NotFound("There is nothing at this address.")
    kind, _, action = found[1].rpartition("/")
    return found[2] or found[3], f"sites/{action}" if kind.startswith("sites/") else action


def _as_told(error: Exception) -> PlatformError:
    """What an application is told about an exception: the standard knows 400, 401 and 503."""
    problem = problems.as_problem(error)
    if problem.status in {400, 401, 404}:
        return problem
    if problem.status == 500:
        log.error("key delivery failed: %s", place_of(error))  # the message may quote what was worked on
        return Unavailable("The error was recorded. If it persists, tell the operator.")
    return problem


def _refusal(problem: PlatformError, headers: Mapping[str, str] | None = None) -> Answer:
    told = dict(headers or {})
    status = problem.status if problem.status in REASONS else 503
    if status == 503:
        told["Retry-After"] = str(
            getattr(problem, "retry_after_seconds", None) or Unavailable.retry_after_seconds
        )
    return Answer(status, messages.error_of(problem), told)


def _call(environ: "WSGIEnvironment", peer: str) -> Call:
    source_ip = str(environ.get("REMOTE_ADDR", ""))
    sources.check_source(source_ip)
    try:
        sae, fingerprint = saes.authenticate(str(environ.get(CERTIFICATE) or ""))
    except NotAuthorised:
        sources.note_failure(source_ip)
        raise
    limits.admit(sae)
    return Call(
        sae=sae,
        actor=sae.as_actor(source_ip=source_ip, via=f"certificate:{fingerprint[:16]}"),
        method=str(environ.get("REQUEST_METHOD", "")),
        peer=peer,
        query=str(environ.get("QUERY_STRING", "")),
        body=_body(environ),
    )


def _body(environ: "WSGIEnvironment") -> bytes:
    """Read the body.

    Raises:
        Invalid: it is too long, or said to be of another kind than JSON.
    """
    told = str(environ.get("CONTENT_LENGTH") or "")
    if told and not re.fullmatch(r"[0-9]{1,12}", told, re.ASCII):
        raise Invalid("Content-Length is no number")
    chunked = not told and "chunked" in str(environ.get("HTTP_TRANSFER_ENCODING", "")).lower()
    length = MOST_BYTES + 1 if chunked else int(told or 0)
    if length > MOST_BYTES and not chunked:
        raise Invalid(f"the body shall have at most {MOST_BYTES} bytes")
    body = environ["wsgi.input"].read(length) if length else b""
    if len(body) > MOST_BYTES:
        raise Invalid(f"the body shall have at most {MOST_BYTES} bytes")
    kind = str(environ.get("CONTENT_TYPE") or "application/json").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        raise Invalid("the body shall be application/json")
    return bytes(body)


def _status(call: Call) -> Mapping[str, Any]:
    messages.read_query(call.query, ())
    return messages.status_of(issuing.supply(call.sae, call.peer, actor=call.actor))


def _enc_keys(call: Call) -> Mapping[str, Any]:
    if call.method == "GET":
        asked: Mapping[str, Any] = messages.numbers_of(messages.read_query(call.query, ("number", "size")))
    else:
        messages.read_query(call.query, ())
        asked = messages.read_object(call.body, messages.REQUEST_FIELDS)
    request, needed, wish = messages.key_request(call.peer, asked)
    limits.check(request)
    if needed is not None and not _may_use(call, needed):
        raise limits.refused("extension_mandatory", messages.UNMET)
    link = needed or (wish if wish is not None and _may_use(call, wish) else None)
    keys = issuing.issue(call.sae, replace(request, link=link), actor=call.actor)
    return messages.container_of(keys)


def _may_use(call: Call, link_id: str) -> bool:
    """Return whether an application may have keys over a link now."""
    if call.sae.link is not None and call.sae.link != link_id:
        return False
    try:
        found = links.find(link_id)
    except LinkNotFound:
        return False
    return found.is_active and (found.serves(call.actor) or call.sae.link == link_id)


def _dec_keys(call: Call) -> Mapping[str, Any]:
    if call.method == "GET":
        named = messages.read_query(call.query, ("key_ID",))
        if "key_ID" not in named:
            raise limits.refused("key_ID", "key_ID shall be given")
        wanted = [named["key_ID"]]
    else:
        messages.read_query(call.query, ())
        wanted = messages.key_ids(messages.read_object(call.body, messages.KEY_FIELDS))
    return messages.container_of(collecting.collect(call.sae, call.peer, wanted, actor=call.actor))


def _statuses(call: Call) -> Mapping[str, Any]:
    messages.read_query(call.query, ())
    asked = messages.read_object(call.body, ("sessions",)).get("sessions")
    return answering.statuses(call.sae, call.peer, asked)


def _deliveries(call: Call) -> Mapping[str, Any]:
    messages.read_query(call.query, ())
    told = messages.read_object(call.body, ("keys",)).get("keys")
    return answering.deliveries(call.sae, call.peer, told, actor=call.actor)


Serve = Callable[[Call], Mapping[str, Any]]
ACTIONS: Mapping[str, tuple[Serve, tuple[str, ...]]] = {
    "status": (_status, ("GET",)),
    "enc_keys": (_enc_keys, ("GET", "POST")),
    "dec_keys": (_dec_keys, ("GET", "POST")),
    "sites/statuses": (_statuses, ("POST",)),
    "sites/deliveries": (_deliveries, ("POST",)),
}
