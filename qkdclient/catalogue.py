"""Every operation of the API, as the platform's schema names it: what it is called with, and the command that it is.

``catalogue.json`` is made from the schema by the platform's ``manage.py pages``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

# The group of commands that an operation belongs to, where its path does not begin with the group's name
GROUPS = {
    "alert-tests": "alerts",
    "decrypt": "messages",
    "encrypt": "messages",
    "local-files": "files",
    "pool": "pools",
    "pool-aliases": "pools",
    "qkd": "sessions",
    "reencryptions": "files",
    "rewrap": "messages",
}
# Commands whose names do not follow from the operation's
NAMES = {
    "health": "live",
    "import_pool_key": "import",
    "readiness": "ready",
    "rewrap_messages": "rewrap-many",
}
# What no generic call can do, and why
LEFT_OUT = {"get_content": "it answers with bytes: download reads them by ranges and compares their digest"}
# What the library does by a method of its own: the attribute of the client, and the method
BY_HAND = {
    "abort_upload": "files.upload",
    "activate_pool_key": "approvals.activate",
    "approve": "approvals.approve",
    "archive_file": "files.archive",
    "cancel_job": "jobs.cancel",
    "cancel_key_destruction": "keys.cancel_destruction",
    "change_file": "files.update",
    "complete_upload": "files.upload",
    "create_data_key": "data_keys.generate",
    "create_data_key_without_plaintext": "data_keys.generate_without_plaintext",
    "create_local_upload": "files.upload",
    "create_part_urls": "files.upload",
    "create_upload": "files.upload",
    "decrypt_message": "messages.decrypt",
    "decrypt_messages": "messages.decrypt_many",
    "delete_file": "files.delete",
    "disable_principal": "principals.disable",
    "enable_principal": "principals.enable",
    "encrypt_message": "messages.encrypt",
    "encrypt_messages": "messages.encrypt_many",
    "export_pool_key": "approvals.export",
    "finish_local_upload": "files.upload",
    "generate_batch": "sessions.generate_many",
    "generate_session": "sessions.generate",
    "get_api_key": "api_keys.get",
    "get_approval": "approvals.get",
    "get_detection": "detections.get",
    "get_digest": "files.digest",
    "get_file": "files.get",
    "get_grant": "grants.get",
    "get_job": "jobs.get",
    "get_package": "files.keep",
    "get_pool": "pools.get",
    "get_pool_key": "keys.get",
    "get_principal": "principals.get",
    "get_report_file": "reports.get_file",
    "get_rotation": "rotations.get",
    "get_session": "sessions.get",
    "get_stock": "sessions.stock",
    "give_grant": "grants.give",
    "issue_api_key": "api_keys.issue",
    "list_api_keys": "api_keys.list",
    "list_approvals": "approvals.list",
    "list_audit_entries": "audit.list",
    "list_detections": "detections.list",
    "list_files": "files.list",
    "list_grants": "grants.list",
    "list_jobs": "jobs.list",
    "list_parts": "files.upload",
    "list_pool_keys": "keys.list",
    "list_pools": "pools.list",
    "list_principals": "principals.list",
    "list_rotations": "rotations.list",
    "list_sessions": "sessions.list",
    "list_taken_keys": "sessions.keys",
    "list_versions": "files.versions",
    "refuse": "approvals.refuse",
    "release_file_key": "files.download",
    "replace_file": "files.upload",
    "request_key_activation": "keys.activate",
    "request_key_destruction": "keys.destroy",
    "request_key_export": "keys.export",
    "restore_file": "files.restore",
    "resume_pool_key": "keys.resume",
    "resume_rotation": "rotations.resume",
    "revoke_api_key": "api_keys.revoke",
    "revoke_grant": "grants.revoke",
    "revoke_pool_key": "keys.revoke",
    "revoke_session": "sessions.revoke",
    "rewrap_message": "messages.rewrap",
    "rotate_api_key": "api_keys.rotate",
    "rotate_pool_key": "keys.rotate",
    "schedule_key_destruction": "approvals.destroy",
    "suspend_pool_key": "keys.suspend",
    "verify_audit": "audit.verify",
    "whoami": "whoami",
    "withdraw_approval": "approvals.withdraw",
}


@dataclass(frozen=True, slots=True)
class Field:
    """What an operation is told: a part of its path, of its query, or of its body."""

    name: str
    place: str
    kind: str
    required: bool = False
    nullable: bool = False
    secret: bool = False
    choices: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API can do."""

    name: str
    method: str
    path: str
    about: str
    fields: Mapping[str, Field]
    etag: bool = False
    paged: bool = False

    @property
    def group(self) -> str:
        """The group of commands that it belongs to, which is also the client's attribute."""
        first = self.path.partition("/")[0]
        return GROUPS.get(first, first)

    @property
    def command(self) -> str:
        """Its name in the group: what the group's own name says is left out.

        >>> operations()["change_link_state"].command, operations()["quarantine_link_of_case"].command
        ('change-state', 'quarantine-link')
        """
        said = {"of", *self.group.split("-"), *(word.removesuffix("s") for word in self.group.split("-"))}
        words = [word for word in self.name.split("_") if word not in said]
        return NAMES.get(self.name) or "-".join(words) or self.name.replace("_", "-")

    def placed(self, place: str) -> list[Field]:
        """Its fields in the path, in their order there, in the query or in the body."""
        found = [field for field in self.fields.values() if field.place == place]
        return sorted(found, key=lambda field: self.path.find(f"{{{field.name}}}"))


@cache
def operations() -> Mapping[str, Operation]:
    """All operations, by their name."""
    found = json.loads(resources.files("qkdclient").joinpath("catalogue.json").read_bytes())
    return {name: _operation(name, about) for name, about in found.items() if name not in LEFT_OUT}


def _operation(name: str, about: Mapping[str, Any]) -> Operation:
    fields = {
        field: Field(field, told["in"], **{key: _frozen(value) for key, value in told.items() if key != "in"})
        for field, told in about["fields"].items()
    }
    return Operation(name, **{**about, "fields": fields})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@cache
def generic() -> Mapping[tuple[str, str], Operation]:
    """The operations that the library has no method of its own for, by group and command."""
    return {
        (operation.group, operation.command): operation
        for name, operation in operations().items()
        if name not in BY_HAND
    }
