"""From where a request comes, as whoever is trusted has seen it: never from what the caller writes."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

UNKNOWN = ""


def of_caller(context: Mapping[str, Any], forwarded: str, *, hops: int) -> str:
    """Return the caller's address of a Lambda event, or nothing where nobody trusted tells.

    Args:
        context: the event's ``requestContext``. API Gateway says itself from where the request came.
        forwarded: the header X-Forwarded-For. Each proxy appends the address that it saw; what stands further left is
            whatever the caller wrote.
        hops: proxies before the platform that append to it, a load balancer included; 0 where there is none.
    """
    for identity in (context.get("identity"), context.get("http")):
        if isinstance(identity, Mapping) and identity.get("sourceIp"):
            return _address(str(identity["sourceIp"]))
    seen = [part.strip() for part in forwarded.split(",")]
    return _address(seen[-hops]) if 0 < hops <= len(seen) else UNKNOWN


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return UNKNOWN
