"""Custody in and out of the API."""

import base64
from typing import Any

from rest_framework import serializers

from apps.common.lists import ListQuery
from apps.common.serializers import FlagField, RecordOut, TextField
from apps.custody.records import ApprovalStatus
from apps.custody.reencryption import Suspect, SuspectKind
from apps.jobs.records import Job
from apps.keys import transfer
from apps.keys.records import PoolKey
from apps.keys.serializers import SEALING_SUITES, BytesField, PoolKeyOut, ReasonIn
from apps.keys.transfer import Exported
from apps.sessions.transfer import ExportedQuantumKey, info_of
from qkdseal.kem import Suite

APPROVAL_STATES = [(state.value, state.value) for state in ApprovalStatus]


class RetiredKeyOut(PoolKeyOut):
    """A pool key that was taken out of use, and the job that moves its files."""

    job_id = serializers.SerializerMethodField(help_text="null where no file can be under the key")

    def get_job_id(self, _key: PoolKey) -> str | None:
        job: Job | None = self.context["job"]
        return job.job_id if job else None


class DestructionIn(ReasonIn):
    """A request for a key's destruction."""

    lose_messages = FlagField(default=False, help_text="messages sealed to the key will never open again")


class ReencryptionIn(ReasonIn):
    """What may be compromised: a session's quantum keys, a pool key, one file's key, or a case's link in its window."""

    EXACTLY_ONE = ("session_id", "key_id", "file_id", "case_id")

    session_id = TextField(required=False, max_length=64)
    key_id = TextField(required=False, max_length=64)
    file_id = TextField(required=False, max_length=128)
    case_id = TextField(required=False, max_length=80)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        kinds = [kind for kind in SuspectKind if kind in attrs]
        if len(kinds) != 1:
            raise serializers.ValidationError(
                {"session_id": "Give exactly one of session_id, key_id, file_id and case_id."}
            )
        return {"suspect": Suspect(kinds[0], attrs[kinds[0]]), "reason": attrs["reason"]}


class ExportIn(ReasonIn):
    """A request for a key's export."""

    recipient_suite = serializers.ChoiceField(choices=SEALING_SUITES)
    recipient_public_key = BytesField(max_bytes=Suite.XWING.public_size)


class ApprovalListQuery(ListQuery):
    """Filters of the list of approvals."""

    status = serializers.ChoiceField(choices=APPROVAL_STATES, required=False)


class ApprovalOut(RecordOut):
    """A request and its decision."""

    ROW = "approvals/{0.approval_id}"

    approval_id = serializers.CharField()
    action = serializers.CharField()
    subject = serializers.CharField()
    status = serializers.ChoiceField(choices=APPROVAL_STATES)
    reason = serializers.CharField()
    parameters = serializers.DictField()
    requested_by = serializers.CharField()
    requested_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    decided_by = serializers.CharField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    used_at = serializers.DateTimeField(allow_null=True)


class ExportedOut(serializers.Serializer[Any]):
    """A seed sealed to its recipient by HPKE; ``info`` is needed to open it."""

    key_id = serializers.CharField()
    suite = serializers.CharField()
    recipient_suite = serializers.CharField()
    sealed_seed = serializers.SerializerMethodField(help_text="base64")
    info = serializers.SerializerMethodField(help_text="base64")

    def get_sealed_seed(self, given: Exported) -> str:
        return base64.b64encode(given.sealed_seed).decode()

    def get_info(self, given: Exported) -> str:
        return base64.b64encode(transfer.info_of(given.key_id, given.suite)).decode()


class ExportedQuantumKeyOut(serializers.Serializer[Any]):
    """A quantum key sealed to its recipient by HPKE; ``info`` is needed to open it."""

    key_id = serializers.CharField()
    recipient_suite = serializers.CharField()
    sealed_key = serializers.SerializerMethodField(help_text="base64")
    info = serializers.SerializerMethodField(help_text="base64")

    def get_sealed_key(self, given: ExportedQuantumKey) -> str:
        return base64.b64encode(given.sealed_key).decode()

    def get_info(self, given: ExportedQuantumKey) -> str:
        return base64.b64encode(info_of(given.key_id)).decode()
