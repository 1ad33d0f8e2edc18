"""An entry of the trail in the names of the Elastic Common Schema (ECS 8.17), which SIEMs read."""

import json
from typing import Any

from apps.audit.records import Entry, Outcome
from apps.common import clock

VERSION = "8.17.0"
OUTCOMES = {Outcome.OK: "success", Outcome.DENIED: "failure", Outcome.FAILED: "failure"}
CATEGORIES = {
    "sign_in": "authentication",
    "api_key": "iam",
    "principal": "iam",
    "grant": "iam",
    "user": "iam",
    "user_group": "iam",
    "file": "file",
    "upload": "file",
    "body": "file",
    "session": "intrusion_detection",
    "case": "intrusion_detection",
    "alert": "intrusion_detection",
}
OTHER = "configuration"


def document(entry: Entry) -> dict[str, Any]:
    """Return an entry as ECS names its fields; what ECS has no name for stands under ``qkd``."""
    found = {
        "@timestamp": clock.as_text(entry.timestamp),
        "ecs": {"version": VERSION},
        "event": {
            "id": f"{entry.chain}-{entry.sequence}",
            "sequence": int(entry.sequence),
            "kind": "event",
            "category": [CATEGORIES.get(entry.event.partition(".")[0], OTHER)],
            "action": entry.event,
            "outcome": OUTCOMES[entry.outcome],
            "reason": entry.outcome.value,
            "provider": "qkdplatform",
            "dataset": "qkdplatform.audit",
        },
        "user": {"id": entry.actor},
        "qkd": {
            "chain": entry.chain,
            "hash": entry.hash,
            "via": entry.via,
            "key_id": entry.key_id,
            "session_id": entry.session_id,
            "file_id": entry.file_id,
            "detail": dict(entry.detail),
        },
    }
    return found | ({"source": {"ip": entry.source_ip}} if entry.source_ip else {})


def line(entry: Entry) -> str:
    """Return an entry as one line of JSON."""
    return json.dumps(document(entry), separators=(",", ":"), sort_keys=True) + "\n"
