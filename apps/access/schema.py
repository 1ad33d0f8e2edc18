"""What the OpenAPI schema says of every view: its scope, headers and group (a schema class of drf-spectacular)."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from apps.access.roles import Scope
from apps.access.views import CreatingView
from apps.common import idempotency, prefer
from apps.common.declared_headers import refer_to
from apps.common.serializers import RecordOut, StrictSerializer

IDEMPOTENCY = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description=(
        "A key of your choice for this request, such as a UUID. Sent again with the same body within "
        f"{idempotency.KEPT_HOURS} hours, the request is not done a second time: it is answered again, with the header "
        f"{idempotency.REPLAYED}."
    ),
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of the record as you read it: it is changed only while it is still so (412 otherwise).",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of the answer that you have: 304 where nothing changed.",
)
PREFER = OpenApiParameter(
    prefer.HEADER,
    str,
    OpenApiParameter.HEADER,
    description=(
        f"`wait=N` (RFC 7240): answer once the result is there, or with what there is after N seconds, "
        f"{prefer.LONGEST_SECONDS:.0f} at most, fewer where the installation says so. `respond-async`: do not wait. {prefer.APPLIED} says what was done."
    ),
)
UNCHANGED = "Nothing changed since the answer whose ETag If-None-Match names"
OTHER_TAGS = {"Liveness": "health", "Readiness": "health"}


class ApiSchema(AutoSchema):
    """Adds what follows from a view's class and declarations."""

    def get_override_parameters(self) -> list[Any]:
        """The parameters that hold for all operations of a kind."""
        creates = self.method == "POST" and isinstance(self.view, CreatingView)
        found = [IDEMPOTENCY] if creates else []
        found += [PREFER] if self._waits() else []
        if self.method == "GET":
            return [*found, IF_NONE_MATCH] if self._shows_a_record() else found
        return [*found, IF_MATCH] if "{" in self.path else found

    def get_operation(self, *arguments: Any, **named: Any) -> dict[str, Any] | None:
        """The operation, with the ETag of what it answers."""
        operation: dict[str, Any] | None = super().get_operation(*arguments, **named)
        if operation is None:
            return None
        if self._waits():
            for status, answer in operation["responses"].items():
                if status.startswith("2"):
                    answer.setdefault("headers", {}).update(refer_to(prefer.APPLIED))
        if not self._shows_a_record():
            return operation
        for status in ("200", "201"):
            if status in operation["responses"]:
                operation["responses"][status].setdefault("headers", {}).update(refer_to("ETag"))
        if self.method == "GET":
            operation["responses"]["304"] = {"description": UNCHANGED}
        return operation

    def _waits(self) -> bool:
        return self.method in getattr(self.view, "awaits", ())

    def _shows_a_record(self) -> bool:
        """Return whether the answer is a record with an ETag."""
        declared = self.get_response_serializers()
        answers = declared.values() if isinstance(declared, dict) else [declared]
        return any(isinstance(answer, type) and issubclass(answer, RecordOut) for answer in answers)

    def get_tags(self) -> list[str]:
        """The group: the view's app; messages are a group of their own."""
        module = type(self.view).__module__
        if module.endswith(".messages"):
            return ["messages"]
        return [OTHER_TAGS.get(type(self.view).__name__, module.split(".")[1])]

    def get_summary(self) -> str:
        """The operation's name in words; the description says the rest."""
        return self.get_operation_id().replace("_", " ").capitalize()

    def get_auth(self) -> list[dict[str, Any]]:
        """The credentials, with the scopes that the operation needs."""
        scopes = self._scopes()
        return [dict.fromkeys(one, scopes) for one in super().get_auth() if one]

    def get_description(self) -> str:  # type: ignore[override]  # DRF's own has arguments, which are never given
        """What the operation does, and the scope that it needs."""
        text: str = super().get_description()
        needed = " and ".join(f"`{scope}`" for scope in self._scopes())
        return f"{text}\n\nNeeds the scope {needed}." if needed else text

    def get_extensions(self) -> dict[str, Any]:
        """The scopes once more, where programs find them."""
        return {"x-required-scopes": self._scopes()}

    def _scopes(self) -> list[str]:
        declared = getattr(self.view, "required_scopes", {}).get(self.method, ())
        return [declared.value] if isinstance(declared, Scope) else sorted(scope.value for scope in declared)

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, StrictSerializer) and direction == "request":
            schema["additionalProperties"] = False
            if serializer.EXACTLY_ONE:
                schema |= exactly_one(*serializer.EXACTLY_ONE)
            if serializer.EXAMPLES:
                schema["examples"] = [dict(one) for one in serializer.EXAMPLES]
        return schema


def exactly_one(first: str, *others: str) -> dict[str, Any]:
    """Declare that exactly one of some fields is given.

    Not by ``oneOf``, which generators of clients take for a choice between types: openapi-python-client then made code
    that did not compile.
    """
    if not others:
        return {"required": [first]}
    none = {"not": {"anyOf": [{"required": [name]} for name in others]}}
    return {"if": {"required": [first]}, "then": none, "else": exactly_one(*others)}
