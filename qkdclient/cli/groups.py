"""The groups of commands that are made from the library alone."""

from qkdclient.access import ApiKeys, Grants, Principals
from qkdclient.cli.building import add_methods
from qkdclient.cli.options import Group
from qkdclient.keys import Approvals, Keys, Pools, Rotations
from qkdclient.operations import Audit, Jobs
from qkdclient.resources import Resource
from qkdclient.sessions import Detections, Sessions

GROUPS: tuple[tuple[str, type[Resource], tuple[str, ...]], ...] = (
    (
        "sessions",
        Sessions,
        ("session_id", "timestamp", "status", "link", "estimated_qber", "keys_total", "keys_taken"),
    ),
    ("detections", Detections, ("session_id", "detected_at", "outcome", "is_compromised", "qber_calculated")),
    ("keys", Keys, ("key_id", "pool", "suite", "state", "usage", "created_at")),
    ("approvals", Approvals, ("approval_id", "action", "subject", "status", "requested_by", "expires_at")),
    ("rotations", Rotations, ("rotation_id", "status", "old_key_id", "new_key_id", "started_at")),
    ("grants", Grants, ("grant_id", "grantee", "object", "right", "until")),
    ("principals", Principals, ("principal_id", "kind", "name", "role", "status")),
    ("api-keys", ApiKeys, ("key_id", "principal", "name", "status", "last_used_at", "expires_at")),
    ("pools", Pools, ("name", "suite", "current", "minimum", "target", "about")),
    ("jobs", Jobs, ("job_id", "kind", "state", "done", "total", "created_at")),
    ("audit", Audit, ("timestamp", "event", "actor", "outcome", "file_id", "key_id", "session_id")),
)


def groups() -> list[Group]:
    """Each part of the API as a group of commands."""
    made = []
    for name, resource, columns in GROUPS:
        group = Group(name, help=resource.__doc__)
        add_methods(group, resource, columns=columns)
        made.append(group)
    return made
