"""A signed POST to an address that somebody named: only outwards, only once, and not for long."""

import base64
import hashlib
import ipaddress
import json
import socket
import ssl
from hmac import digest
from urllib.parse import urlsplit

import urllib3
from django.conf import settings
from urllib3.exceptions import HTTPError

from apps.common import tracing
from apps.common.authenticated import accepted_keys
from apps.common.errors import Invalid
from apps.notices.records import Delivery, Webhook

SECONDS = urllib3.Timeout(connect=3.0, read=5.0)
_LABEL = "qkdplatform webhook v1"
URL_LENGTH = 500
_WORLD = ipaddress.ip_network("2000::/3")  # all that is given out
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


class NotSent(Exception):
    """The address did not take it; the message says why, in a word or two."""


def secret_of(webhook: Webhook) -> bytes | None:
    """The webhook's secret; None once the record key that it is derived under is gone."""
    key = accepted_keys().get(webhook.secret_key)
    return (
        None if key is None else digest(key.secret, f"{_LABEL}|{webhook.webhook_id}".encode(), hashlib.sha256)
    )


def as_text(secret: bytes) -> str:
    """A secret as receivers are given it."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def signature(secret: bytes, notice_id: str, timestamp: int, body: bytes) -> str:
    """Sign a message, as Standard Webhooks has it."""
    signed = f"{notice_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(digest(secret, signed, hashlib.sha256)).decode()}"


def check_url(url: str) -> None:
    """Refuse an address that could not be told, or must not be.

    Raises:
        Invalid: says what is allowed.
    """
    schemes = {"https", "http"} if settings.WEBHOOK_PRIVATE else {"https"}
    if len(url) > URL_LENGTH or not url.isascii() or any(c.isspace() for c in url):
        raise Invalid.of("url", f"At most {URL_LENGTH} ASCII characters, without spaces.")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")  # as a look-up has it
    except ValueError:
        raise Invalid.of("url", "The host is a name, or an address in its usual form.") from None
    if parts.scheme not in schemes or not host:
        raise Invalid.of("url", f"An address that begins with {' or '.join(sorted(schemes))}://.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Invalid.of("url", "Without a user, a password or a fragment.")
    try:
        _ = parts.port
    except ValueError:
        raise Invalid.of("url", "The port is a number up to 65535.") from None


def _address_of(host: str, port: int) -> str:
    """An address of a host, all of whose addresses are the world's: connected to as it was looked at.

    Raises:
        NotSent: there is none, or one of them is in a private network.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter of what can be no host's name
        raise NotSent("unknown host") from None
    addresses = [str(one[4][0]) for one in found]
    if not settings.WEBHOOK_PRIVATE and not all(map(_is_the_worlds, addresses)):
        raise NotSent("private address")
    return addresses[0]


def _is_the_worlds(address: str) -> bool:
    """Return whether an address is one of the world's: neither itself private, nor a way to one that is."""
    found = ipaddress.ip_address(address)
    if found in _TRANSLATED:  # by a gateway, to the IPv4 address that it ends with
        found = ipaddress.IPv4Address(found.packed[-4:])
    if isinstance(found, ipaddress.IPv6Address) and (found not in _WORLD or found.sixtofour):
        return False
    return found.is_global and not found.is_multicast


def post(webhook: Webhook, delivery: Delivery, *, timestamp: int) -> str:
    """Send a delivery; returns the status.

    Raises:
        NotSent: no answer, or one that is not 2xx.
    """
    secret = secret_of(webhook)
    if secret is None:
        raise NotSent("secret ended")
    parts = urlsplit(webhook.url)
    host, is_tls = str(parts.hostname), parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    address = _address_of(host, port)
    body = json.dumps(delivery.document, separators=(",", ":"), sort_keys=True).encode()
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "qkdplatform-webhooks",
        "webhook-id": delivery.notice_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, delivery.notice_id, timestamp, body),
    }
    trace = tracing.of_detail(delivery.document.get("data") or {})
    if trace is not None:
        headers["traceparent"] = trace.traceparent
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with _pool(address, port, host if is_tls else None) as pool:
        try:
            answer = pool.urlopen(
                "POST", target, body=body, headers=headers, redirect=False, retries=False,
                timeout=SECONDS, preload_content=False,
            )  # fmt: skip
        except (HTTPError, OSError) as error:
            raise NotSent(type(error).__name__) from None
    answer.close()  # what it says beside its status is not read
    if not 200 <= answer.status < 300:
        raise NotSent(str(answer.status))
    return str(answer.status)


def _pool(address: str, port: int, tls_host: str | None) -> urllib3.HTTPConnectionPool:
    if tls_host is None:
        return urllib3.HTTPConnectionPool(address, port)
    return urllib3.HTTPSConnectionPool(
        address,
        port,
        server_hostname=tls_host,
        assert_hostname=tls_host,
        ssl_context=ssl.create_default_context(),
    )
