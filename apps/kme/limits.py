"""What applications are told that they may ask for, and what they are refused beyond."""

from dataclasses import dataclass

from django.conf import settings

from apps.access import limits
from apps.common.errors import FieldError, Invalid
from apps.kme.records import Sae

PIECE_BITS = settings.QUANTUM_KEY_BITS
SCOPE = "kme"  # by which THROTTLES names the requests of applications
NOT_OF_EIGHT = "size shall be a multiple of 8"  # the standard's words


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What a master asks for. ``link`` is the extension of ours: over whose sessions the keys have to come."""

    slave: str
    number: int = 1
    size: int | None = None
    additional: tuple[str, ...] = ()
    link: str | None = None

    @property
    def slaves(self) -> tuple[str, ...]:
        """Everybody who is to collect the keys."""
        return tuple(dict.fromkeys((self.slave, *self.additional)))

    @property
    def bits(self) -> int:
        """Of each key."""
        return settings.KME_KEY_BITS if self.size is None else self.size


def pieces_of(bits: int) -> int:
    """How many quantum keys a key of so many bits is put together from."""
    return -(-bits // PIECE_BITS)


def check(request: KeyRequest) -> None:
    """Refuse a request that no application may make.

    Raises:
        Invalid: names the field and what is allowed.
    """
    if not 1 <= request.number <= settings.KME_MAX_KEYS_PER_REQUEST:
        raise refused("number", f"number shall be from 1 to {settings.KME_MAX_KEYS_PER_REQUEST}")
    if request.bits % 8:
        raise refused("size", NOT_OF_EIGHT)
    if not settings.KME_MIN_KEY_BITS <= request.bits <= settings.KME_MAX_KEY_BITS:
        allowed = f"from {settings.KME_MIN_KEY_BITS} to {settings.KME_MAX_KEY_BITS}"
        raise refused("size", f"size shall be {allowed}")
    if len(request.additional) > settings.KME_MAX_SAE_IDS:
        raise refused(
            "additional_slave_SAE_IDs",
            f"at most {settings.KME_MAX_SAE_IDS} additional_slave_SAE_IDs are supported",
        )


def refused(field: str, message: str) -> Invalid:
    """The error of a request whose field is wrong, in words that are answered as they are."""
    return Invalid(message, errors=[FieldError(field, message)])


def admit(sae: Sae) -> None:
    """Count a request of an application.

    Raises:
        Throttled: it made too many; says when there may be more.
    """
    limit = limits.limit_of(sae.principal_id, SCOPE)
    if limit is not None:
        limits.throttle().admit(f"{sae.principal_id}|{SCOPE}", limit)
