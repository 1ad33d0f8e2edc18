"""Base of all views of the API."""

import json
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, ClassVar, TypeVar

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access import limits, quotas
from apps.access.authentication import address_of, caller_of
from apps.access.quotas import Month, Quota, Usage
from apps.access.records import Caller
from apps.access.roles import Scope
from apps.access.throttles import State
from apps.common import idempotency, preconditions, prefer
from apps.common.errors import Unauthenticated
from apps.common.idempotency import Replayed
from apps.common.negotiation import JSON
from apps.common.prefer import Preference
from apps.common.serializers import RecordOut

T = TypeVar("T")
# Apps whose records have owners: a caller sees its own and its groups', with owners:all those of everybody.
OWNED = frozenset({"sessions", "detections", "jobs", "files"})


class ApiView(APIView):
    """``required_scopes`` maps each method to the scope it needs; a method that is missing there is refused."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete", "options"]
    required_scopes: ClassVar[dict[str, Scope | frozenset[Scope]]] = {}
    produces: ClassVar[tuple[str, ...]] = JSON
    rate: State | None = None
    spends: ClassVar[frozenset[Quota]] = frozenset()
    """What a POST uses of the caller's month, where that is limited."""
    month: Month | None = None
    awaits: ClassVar[frozenset[str]] = frozenset()
    """Methods that wait for their result where the caller prefers it (``Prefer: wait``)."""
    preference = Preference()
    applied: tuple[str, ...] = ()
    _waits_until = 0.0

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in self.awaits:
            self.preference = prefer.read(request.headers.get(prefer.HEADER, ""))
            # From here, as the gateway counts: one wait, however much is done and waited for in turn
            self._waits_until = monotonic() + min(self.preference.wait or 0, prefer.longest())
        if "If-Match" in request.headers and request.method not in SAFE_METHODS:
            preconditions.begin(request.headers["If-Match"])
        self.begin(request)
        if request.method == "POST" and self.spends:
            self.month = quotas.check(caller_of(request).principal, self.spends)

    def begin(self, request: Request) -> None:
        """Do what comes before a quota is looked at: nothing, but where something is created."""

    def perform_authentication(self, request: Request) -> None:
        try:
            super().perform_authentication(request)
        except Unauthenticated:
            limits.note_failure(address_of(request))
            raise

    def check_permissions(self, request: Request) -> None:
        """Count the request before anything else is done for it; a refusal costs an audit entry."""
        if isinstance(request.user, Caller):
            scope = scope_name(self.required_scopes.get(_method(request)))
            self.rate = limits.admit(request.user, scope)
        super().check_permissions(request)

    def awaited(self, first: T, look: Callable[[], T], *, is_there: Callable[[T], bool]) -> T:
        """Look again for as long as the caller prefers to wait, until a result is there; what was seen last."""
        wait = self.preference.wait
        if wait is None:
            return first
        if not is_there(first) and not self.applied and not limits.may_wait(caller_of(self.request)):
            return first
        left = self._waits_until - monotonic()
        found = prefer.await_result(first, look, is_there=is_there, seconds=left)
        if found is None:
            return first
        self.applied = (f"wait={wait}",)
        return found

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        preconditions.end()
        for name, value in rate_headers(self.rate, self._spent()).items():
            response.headers.setdefault(name, value)
        if self.preference.responds_async and response.status_code == 202:
            self.applied = ("respond-async", *self.applied)
        if self.applied:
            response.headers[prefer.APPLIED] = ", ".join(self.applied)
        if _is_known(request, response):
            response = Response(status=304, headers={"ETag": response["ETag"]})
        return super().finalize_response(request, response, *args, **kwargs)

    def _spent(self) -> list[Usage]:
        return [usage for usage in self.month.usages if usage.quota in self.spends] if self.month else []

    @classmethod
    def is_owned(cls) -> bool:
        """Return whether what the view is about belongs to somebody."""
        return cls.__module__.split(".")[1] in OWNED

    @property
    def allowed_methods(self) -> list[str]:
        """Those that the view has; HEAD wherever there is GET."""
        return sorted(name.upper() for name in self.http_method_names if hasattr(self, name))

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]  # noqa: ARG002
        """Answer which methods there are, to everybody: the schema says so as well."""
        return Response(status=204, headers={"Allow": ", ".join(self.allowed_methods)})


def _method(request: Request) -> str:
    """HEAD answers what GET does."""
    return "GET" if request.method == "HEAD" else request.method or ""


def scope_name(declared: Scope | frozenset[Scope] | None) -> str:
    """What requests are counted by."""
    return declared.value if isinstance(declared, Scope) else "+".join(sorted(declared or ()))


def rate_headers(state: State | None, spent: Sequence[Usage] = ()) -> dict[str, str]:
    """What a caller is told about its limit, and about the quotas that the request uses (draft-ietf-httpapi-ratelimit-headers)."""
    policies, left = [], []
    if state is not None:
        policies += [f'"burst";q={state.limit.burst};w=1', f'"steady";q={state.limit.minute};w=60']
        left.append(f'"steady";r={state.remaining};t={state.seconds}')
    for usage in spent:
        policies.append(f'"{usage.quota} a month";q={usage.allowed}')
        left.append(f'"{usage.quota} a month";r={usage.remaining}')
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)} if left else {}


def _is_known(request: Request, response: Response) -> bool:
    """Return whether the caller has what is about to be answered already."""
    known = request.headers.get("If-None-Match", "")
    answers = request.method in {"GET", "HEAD"} and response.status_code == 200 and "ETag" in response
    return bool(known) and answers and preconditions.is_known(known, response["ETag"])


def shown(output: type[RecordOut], record: Any, *, status: int = 200, **context: Any) -> Response:
    """Answer with a record that was read or changed, and its ETag.

    Args:
        output: how it is shown.
        record: what.
        status: of the answer.
        context: of the serializer.
    """
    data = output(record, context=context).data
    text = json.dumps(data, sort_keys=True, default=str).encode()
    tag = preconditions.etag(output.ROW.format(record), getattr(record, "tag", ""), text)
    return Response(data, status=status, headers={"ETag": tag})


class CreatingView(ApiView):
    """A view whose POST creates something, once for each ``Idempotency-Key``.

    ``creates`` names the kinds that its service keeps (``apps.common.idempotency.keep``); ``looks_first`` asks before
    work that is not worth doing twice, for one call more.
    """

    creates: ClassVar[frozenset[str]]
    looks_first: ClassVar[bool] = False

    def answer_again(self, request: Request, result: Mapping[str, Any], **parameters: Any) -> Response:
        """Answer a request that was done before from what it left."""
        raise NotImplementedError

    def begin(self, request: Request) -> None:
        """Claim the key first: what was done before is answered again, also once it has used a quota up."""
        key = request.headers.get(idempotency.HEADER)
        if request.method != "POST" or key is None:
            return
        idempotency.begin(
            idempotency.claim_for(
                str(caller_of(request)),
                key,
                method=request.method,
                path=request.get_full_path(),
                body=request.data,
                creates=self.creates,
            )
        )
        before = idempotency.done_before() if self.looks_first else None
        if before is not None:
            raise Replayed(before)

    def handle_exception(self, exc: Exception) -> Response:
        try:
            # A request that was done before may fail before it gets to what it creates
            before = exc.result if isinstance(exc, Replayed) else idempotency.done_before()
            if before is not None:
                answer = self.answer_again(self.request, before, **self.kwargs)
                answer[idempotency.REPLAYED] = "true"
                return answer
        except Exception as failure:  # noqa: BLE001 - answered as the problem that it is
            return super().handle_exception(failure)
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        idempotency.end()
        return super().finalize_response(request, response, *args, **kwargs)
