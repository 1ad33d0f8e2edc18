"""What may be said of where a link's keys come from."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from apps.common.errors import Invalid
from apps.links.records import LinkSource

ROLES = ("alice", "bob")
FEWEST_BITS, MOST_BITS = 256, 262_144  # of the key of a session with another site
SAE = r"[A-Za-z0-9._:@-]{1,64}"  # the id of an application, as a certificate's common name has it


def check(source: LinkSource, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that a source does not have.

    Raises:
        Invalid: names the field and what is allowed.
    """
    _CHECKS[source](parameters)


def _check_simulator(parameters: Mapping[str, Any]) -> None:
    """A channel, by its preset's name or its parameters, or the error rate of a short fibre."""
    from qkd import channel  # noqa: PLC0415 - imports numpy, which most requests do without

    unknown = sorted(parameters.keys() - {"channel", "error_rate"})
    if unknown or len(parameters) > 1:
        raise Invalid.of("parameters", "Of the simulator give either channel or error_rate.")
    told = parameters.get("channel")
    try:
        if isinstance(told, str):
            channel.preset(told)
        elif told is not None:
            channel.Channel(**told)
    except (ValueError, TypeError) as error:
        raise Invalid.of("parameters.channel", str(error)) from None
    rate = parameters.get("error_rate", 0.0)
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 <= rate <= 0.5:
        raise Invalid.of("parameters.error_rate", "a number from 0 to 0.5")


def _check_kme(parameters: Mapping[str, Any]) -> None:
    """Where the KME is, with which application its keys are shared, and as which client the platform comes."""
    if parameters.keys() != {"base_url", "peer", "client"}:
        raise Invalid.of("parameters", "Of an external KME give base_url, peer and client.")
    if not _is_address(str(parameters["base_url"])):
        raise Invalid.of("parameters.base_url", "https://, a host, and perhaps a port; nothing else")
    for name in ("peer", "client"):
        if not re.fullmatch(SAE, str(parameters[name])):
            raise Invalid.of(f"parameters.{name}", "Letters, digits and . _ : @ -, up to 64.")


def _check_site(parameters: Mapping[str, Any]) -> None:
    """Which end is here, where the other site's KME is and who it is, and the channel between the two."""
    needed, more = {"role", "base_url", "peer", "client"}, {"channel", "error_rate", "bits"}
    if not needed <= parameters.keys() or parameters.keys() - needed - more:
        raise Invalid.of(
            "parameters",
            "Of another site give role, base_url, peer and client; perhaps channel or error_rate, and bits.",
        )
    if parameters["role"] not in ROLES:
        raise Invalid.of("parameters.role", f"{' or '.join(ROLES)}: which end is here")
    _check_kme({name: parameters[name] for name in needed - {"role"}})
    _check_simulator({name: parameters[name] for name in parameters.keys() & {"channel", "error_rate"}})
    bits = parameters.get("bits", FEWEST_BITS)
    if isinstance(bits, bool) or not isinstance(bits, int) or not FEWEST_BITS <= bits <= MOST_BITS:
        raise Invalid.of("parameters.bits", f"{FEWEST_BITS:,} to {MOST_BITS:,}: of a session's key, at least")


def _is_address(text: str) -> bool:
    """Return whether a text is the address of a host that is spoken to by TLS, and nothing more."""
    try:
        parts = urlsplit(text)
        bare = f"https://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return False
    return bool(parts.hostname) and text.rstrip("/").lower() == bare and text.isascii()


_CHECKS: Mapping[LinkSource, Callable[[Mapping[str, Any]], None]] = {
    LinkSource.SIMULATOR: _check_simulator,
    LinkSource.EXTERNAL_KME: _check_kme,
    LinkSource.OTHER_SITE: _check_site,
}
