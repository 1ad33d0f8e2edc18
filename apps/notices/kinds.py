"""Which entries of the trail are domain events, and what is told of each. ``docs/notices.md`` and its schema are made from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.audit.records import Entry
from apps.common import clock
from apps.notices.records import Notice


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of domain events.

    Args:
        name: the type, for good.
        meaning: what happened.
        events: of the trail, that tell so.
        data: the names of what is told: ids, states and words, never content.
    """

    name: str
    meaning: str
    events: tuple[str, ...]
    data: tuple[str, ...]


KINDS = (
    Kind(
        "file.encrypted",
        "A file, or its next version, is encrypted.",
        ("file.encrypted", "file.replaced"),
        ("file_id", "key_id", "session_id"),
    ),
    Kind("file.rejected", "An upload was refused or given up.", ("file.rejected",), ("file_id",)),
    Kind(
        "session.judged",
        "A session has its verdict.",
        ("session.ready", "session.compromised", "session.aborted", "session.studied"),
        ("session_id", "link", "verdict"),
    ),
    Kind("key.rotated", "A pool key encrypts nothing more.", ("pool_key.rotation_queued",), ("key_id",)),
    Kind("key.revoked", "A pool key may be compromised.", ("pool_key.revoked",), ("key_id",)),
    Kind("job.ended", "A job ended.", ("job.ended",), ("job_id", "kind", "state")),
    Kind(
        "case.opened",
        "A finding opened a case.",
        ("case.opened",),
        ("case_id", "session_id", "link", "severity"),
    ),
)
TYPES = tuple(kind.name for kind in KINDS)
_BY_EVENT: Mapping[str, Kind] = {event: kind for kind in KINDS for event in kind.events}
# Of every kind: the X-Request-Id of what led to it, and the trace's id where its caller gave one
TRACED = ("request_id", "trace_id")
_ID = {"type": "string", "maxLength": 255}


def of_entry(entry: Entry) -> Notice | None:
    """The domain event that an entry tells of; None for most."""
    kind = _BY_EVENT.get(entry.event)
    if kind is None or (entry.outcome.value != "ok" and entry.event != "job.ended"):
        return None
    known = {
        "file_id": entry.file_id,
        "key_id": entry.key_id,
        "session_id": entry.session_id,
        **{
            name: entry.detail.get(name)
            for name in ("job_id", "case_id", "link", "verdict", "kind", "state", "severity", *TRACED)
        },
    }
    told = (*kind.data, *TRACED)
    data = {name: str(known[name])[:255] for name in told if known[name] is not None}
    return Notice(f"{entry.chain}-{entry.sequence}", kind.name, clock.as_text(entry.timestamp), data)


def schema() -> dict[str, Any]:
    """The JSON schema of every domain event."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Domain events of the platform",
        "oneOf": [
            {
                "type": "object",
                "title": kind.name,
                "description": kind.meaning,
                "required": ["id", "type", "time", "data"],
                "additionalProperties": False,
                "properties": {
                    "id": {
                        **_ID,
                        "description": "the same for the same event, however often it is delivered",
                    },
                    "type": {"const": kind.name},
                    "time": {"type": "string", "format": "date-time"},
                    "data": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": dict.fromkeys((*kind.data, *TRACED), _ID),
                    },
                },
            }
            for kind in KINDS
        ],
    }


def schema_page() -> str:
    """Write the schema's file."""
    return json.dumps(schema(), indent=1) + "\n"


def page() -> str:
    """Write the page of domain events."""
    rows = "".join(
        f"| `{kind.name}` | {kind.meaning} | {', '.join(f'`{name}`' for name in kind.data)} |\n"
        for kind in KINDS
    )
    return (
        "# Domain events\n\n"
        "What other systems are told: ids only, at least once, from the trail. Made from `apps/notices/kinds.py` by"
        " `manage.py pages`; a test compares. The schema is [notices.schema.json](notices.schema.json).\n\n"
        "| Type | What happened | `data` |\n| --- | --- | --- |\n"
        f"{rows}\n"
        "With `EVENT_BUS`, each goes to that bus of EventBridge: `Source` is `qkdplatform`, `DetailType` the type, `Detail`"
        " the event. Webhooks (`/api/v1/webhooks`, scope `webhooks:manage`) get it by POST, signed as the Standard Webhooks"
        " specification says: `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64 of HMAC-SHA-256>` over"
        " `<id>.<timestamp>.<body>`, under the secret that was shown once (`whsec_…`). Any 2xx takes it; anything else, or"
        " no answer within five seconds, is tried again after 1, 2, 4 … minutes, ten times. Redirects are not followed."
        " `data` also has the `request_id` that the API gave back to whoever led"
        " to it; a webhook's `traceparent` goes on with that request's trace. Deliveries are listed for 30 days, and can be replayed. The same event may come twice: compare `webhook-id`.\n"
    )
