"""The health of the platform, open to everyone; it tells no more than up or not."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access import onlookers
from apps.access.authentication import HEADER, address_of
from apps.access.permissions import PUBLIC
from apps.access.scopes import AccessScope
from apps.access.views import ApiView
from apps.common import health, liveness, standstill
from apps.metrics.scopes import MetricsScope

STANDSTILL_SECONDS = 0.2  # of the three: it has had the time of the dependencies already


class CheckOut(serializers.Serializer[Any]):
    """One dependency."""

    name = serializers.CharField()
    ok = serializers.BooleanField()
    milliseconds = serializers.FloatField(
        required=False, help_text=f"Told to callers with the scope {MetricsScope.READ}."
    )


class MissingOut(serializers.Serializer[Any]):
    """One thing for want of which nothing can be encrypted."""

    name = serializers.CharField(help_text="As in `checks`.")
    why = serializers.CharField(source="outlook.why")
    refilling = serializers.BooleanField(
        source="outlook.refilling", help_text="Whether it is being made at this moment."
    )
    expected_at = serializers.DateTimeField(
        source="outlook.expected_at",
        allow_null=True,
        help_text="When it is there as a rule, often sooner; null where nobody knows.",
    )


class EncryptingOut(serializers.Serializer[Any]):
    """Whether something can be encrypted now; if not, for want of what, and when it can be."""

    possible = serializers.BooleanField()
    expected_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When all that is missing is expected; null where it is possible, or nobody knows.",
    )
    missing = MissingOut(many=True)


class StuckOut(serializers.Serializer[Any]):
    """Some records or messages that do not get on by themselves."""

    what = serializers.CharField()
    count = serializers.IntegerField(help_text=f"{standstill.MOST} stands for that or more.")
    since = serializers.DateTimeField(source="oldest", allow_null=True, help_text="Of the oldest.")
    action = serializers.CharField(help_text="What to do.")


class StandstillOut(serializers.Serializer[Any]):
    """What was stuck when it was last asked, at most a minute ago."""

    at = serializers.DateTimeField()
    stuck = StuckOut(many=True)


class LivenessOut(serializers.Serializer[Any]):
    """The process answers."""

    status = serializers.CharField()
    version = serializers.CharField()


class ReadinessOut(LivenessOut):
    """What each dependency answered, where the caller may know."""

    checks = CheckOut(many=True, required=False, help_text="Told to callers with an API key.")
    encrypting = EncryptingOut(required=False, help_text="Told to callers with an API key.")
    standstill = StandstillOut(
        required=False,
        allow_null=True,
        help_text="Told to callers with an API key and the scope owners:all; null where it is not known yet.",
    )


class Liveness(ApiView):
    """Whether the process is up."""

    authentication_classes = ()
    required_scopes = {"GET": PUBLIC}

    @extend_schema(responses=LivenessOut, operation_id="health", auth=[])
    def get(self, request: Request) -> Response:  # noqa: ARG002 - Django's signature
        """Answers as long as the process runs; asks no dependency."""
        return Response(liveness.body())


class Readiness(ApiView):
    """Whether everything answers that is needed to encrypt something."""

    authentication_classes = ()
    required_scopes = {"GET": PUBLIC}

    @extend_schema(responses={200: ReadinessOut, 503: ReadinessOut}, operation_id="readiness", auth=[])
    def get(self, request: Request) -> Response:
        """Ok, or 503: whether something can be encrypted now. Ends within three seconds.

        With an API key also each dependency; and where nothing can be encrypted, why, and when it is expected to be possible.
        With the scope metrics:read also how long each took; with owners:all what is stuck, which does not make it unready.
        """
        scopes = onlookers.scopes_of(request.headers.get(HEADER), source_ip=address_of(request))
        if scopes is not None and AccessScope.OWNERS_ALL in scopes:
            standstill.refresh()  # asked while the dependencies are
        checks = health.readiness()
        ready = all(check.ok for check in checks)
        body: dict[str, Any] = {"status": "ok" if ready else "unavailable", "version": settings.VERSION}
        if scopes is not None:
            shown = ("name", "ok", "milliseconds") if MetricsScope.READ in scopes else ("name", "ok")
            body["checks"] = [{name: getattr(check, name) for name in shown} for check in checks]
            body["encrypting"] = EncryptingOut(_encrypting(checks)).data
            if AccessScope.OWNERS_ALL in scopes:
                known = standstill.latest(wait=STANDSTILL_SECONDS)
                body["standstill"] = None if known is None else StandstillOut(known).data
        answer = Response(body, status=200 if ready else 503)
        answer._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001 - Django's mark: the probe says what
        return answer


def _encrypting(checks: list[health.Check]) -> dict[str, Any]:
    missing = [check for check in checks if not check.ok]
    expected = [check.outlook.expected_at for check in missing]
    known = [moment for moment in expected if moment is not None]
    at = max(known) if known and len(known) == len(expected) else None
    return {"possible": not missing, "expected_at": at, "missing": missing}
