"""Another key management entity, drawn from by ETSI GS QKD 014 as an application of it.

Whatever it answers is read with a limit of time and of bytes, and held against what was asked for; no redirect is
followed. Keys of an answer that is wrong in any way are not used.
"""

import base64
import binascii
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from apps.kme.transport import Fault, Https, KmeFailed


@dataclass(frozen=True, slots=True)
class Limits:
    """What another entity says that may be asked for."""

    stored: int
    per_request: int
    shortest: int
    longest: int


@dataclass(frozen=True, slots=True)
class RemoteKey:
    """A key and its id, as another entity gave them."""

    key_id: str
    key: bytes = field(repr=False)


class RemoteKme:
    """Another entity, as one of its applications sees it.

    Args:
        https: to it.
        peer: the application that the keys are shared with.
    """

    def __init__(self, https: Https, peer: str) -> None:
        self._https = https
        self._path = f"/api/v1/keys/{quote(peer, safe='')}"

    def close(self) -> None:
        """End its connections."""
        self._https.close()

    def limits(self) -> Limits:
        """Ask what there is, and what may be asked for.

        Raises:
            KmeFailed: it does not answer, or not so.
        """
        found = _object(self._ask("GET", "status"))
        names = ("stored_key_count", "max_key_per_request", "min_key_size", "max_key_size")
        return Limits(*(_count(found, name) for name in names))

    def draw(self, number: int, *, bits: int) -> list[RemoteKey]:
        """Ask for new keys.

        Raises:
            KmeFailed: it does not answer, or with anything but as many sound keys of this size.
        """
        return _keys(self._ask("POST", "enc_keys", {"number": number, "size": bits}), number, bits)

    def collect(self, key_ids: Sequence[str], *, bits: int) -> list[RemoteKey]:
        """Ask, as the slave, for the keys that the peer was given and told us the ids of; in this order.

        Raises:
            KmeFailed: it does not answer, or with anything but these keys, sound and of this size.
        """
        wanted = [str(uuid.UUID(one)) for one in key_ids]
        asked = {"key_IDs": [{"key_ID": one} for one in wanted]}
        came = {one.key_id: one for one in _keys(self._ask("POST", "dec_keys", asked), len(wanted), bits)}
        if came.keys() != set(wanted):
            raise KmeFailed(Fault.WRONG_ID, "It gave keys of other ids than were asked for.")
        return [came[one] for one in wanted]

    def _ask(self, method: str, action: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._https.ask(method, f"{self._path}/{action}", body)


def _keys(answer: Any, number: int, bits: int) -> list[RemoteKey]:
    """The keys of an answer, all of them sound."""
    listed = _object(answer).get("keys")
    if not isinstance(listed, list):
        raise KmeFailed(Fault.MALFORMED, "The answer has no keys.")
    if len(listed) != number:
        raise KmeFailed(Fault.WRONG_COUNT, f"{number} keys were asked for, {len(listed)} came.")
    keys = [_key(_object(one), bits) for one in listed]
    if len({one.key_id for one in keys}) < number:
        raise KmeFailed(Fault.REPEATED_ID, "An answer has one key id twice.")
    if len({one.key for one in keys}) < number:
        raise KmeFailed(Fault.REPEATED_KEY, "An answer has one key twice.")
    return keys


def _object(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise KmeFailed(Fault.MALFORMED, "The answer is not of the standard's form.")
    return found


def _count(found: Mapping[str, Any], name: str) -> int:
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise KmeFailed(Fault.MALFORMED, f"The status has no {name}.")
    return value


def _key(found: Mapping[str, Any], bits: int) -> RemoteKey:
    key_id, text = found.get("key_ID"), found.get("key")
    if not isinstance(key_id, str) or not isinstance(text, str):
        raise KmeFailed(Fault.MALFORMED, "A key lacks its id or its bits.")
    try:
        key = base64.b64decode(text, validate=True)
        named = str(uuid.UUID(key_id))  # one id, however it is written
    except (binascii.Error, ValueError):
        raise KmeFailed(Fault.MALFORMED, "A key's id is no UUID, or its bits are no base64.") from None
    if 8 * len(key) != bits:
        raise KmeFailed(Fault.WRONG_SIZE, f"{bits} bits were asked for, {8 * len(key)} came.")
    if len(set(key)) == 1:
        raise KmeFailed(Fault.CONSTANT_KEY, "A key has the same byte all over.")
    return RemoteKey(named, key)


def connect(parameters: Mapping[str, Any]) -> RemoteKme:
    """Make the client of a link's parameters.

    Raises:
        KmeFailed: the client that they name cannot be used.
    """
    https = Https(str(parameters["base_url"]), str(parameters["client"]))
    return RemoteKme(https, str(parameters["peer"]))
