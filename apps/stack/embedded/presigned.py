"""Whether a presigned address was signed with the platform's secret, for this request, and is not over."""

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
LONGEST = 7 * 86_400  # seconds, as AWS allows
SKEW = timedelta(minutes=5)


def is_valid(scope: dict[str, Any], secret: str) -> bool:
    """Return whether a request's query carries the signature of that very request (SigV4)."""
    query = scope["query_string"].decode("latin-1")
    found = parse_qs(query, keep_blank_values=True)
    given = {name: values[0] for name, values in found.items() if len(values) == 1}
    if len(given) < len(found):
        return False  # which of them counts is anybody's guess
    try:
        key, date, region, service, _ = given["X-Amz-Credential"].split("/")
        began = datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        seconds, signed = int(given["X-Amz-Expires"]), given["X-Amz-SignedHeaders"].split(";")
    except (KeyError, ValueError):
        return False
    now = datetime.now(UTC)
    fits = given.get("X-Amz-Algorithm") == ALGORITHM and given["X-Amz-Date"].startswith(date)
    if not fits or "host" not in signed or not 0 < seconds <= LONGEST:
        return False
    if not began - SKEW <= now <= began + timedelta(seconds=seconds):
        return False
    auth = S3SigV4QueryAuth(Credentials(key, secret), service, region, expires=seconds)
    request = _request(scope, query, signed)
    request.context["timestamp"] = given["X-Amz-Date"]
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return hmac.compare_digest(signature.encode(), given["X-Amz-Signature"].encode())


def _request(scope: dict[str, Any], query: str, signed: list[str]) -> AWSRequest:
    """The request as its sender signed it: with the signed headers only, and without the signature."""
    sent = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    parameters = "&".join(part for part in query.split("&") if not part.startswith("X-Amz-Signature="))
    headers = {name: sent[name] for name in signed if name in sent}
    return AWSRequest(
        method=scope["method"], url=f"http://{sent.get('host', '')}{path}?{parameters}", headers=headers
    )
