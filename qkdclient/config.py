"""Where the platform is, and with which API key: from options, the environment, or a profile of the user's file.

    profile = "work"                       # the one that is used unless another is named

    [profiles.work]
    url = "https://qkd.example.com"
    key.command = "pass show qkd/work"     # or key.keyring = "qkd", or key.env = "QKD_WORK_KEY"

A profile's key is sent to the profile's own URL and to no other.
"""

import os
import shlex
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qkdclient.errors import Misconfigured
from qkdclient.names import home, shown

DEFAULT_URL = "http://127.0.0.1:8000"
KEY_SECONDS = 60  # for a command that may ask its user


@dataclass(frozen=True, slots=True)
class Access:
    """A server and the key for it."""

    url: str
    api_key: str = field(repr=False)


def config_file() -> Path:
    """The user's file."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or home() / ".config") / "qkdclient" / "config.toml"


def access(url: str | None = None, profile: str | None = None) -> Access:
    """The server to talk to and the API key for it.

    A profile that is named decides alone; otherwise the URL that is given, QKD_URL and QKD_API_KEY come first, then
    the file's own profile.

    Raises:
        Misconfigured: there is no key, no such profile, or the file cannot be understood.
    """
    profile = profile or os.environ.get("QKD_PROFILE")
    document = _document()
    if profile:
        return _of_profile(document, profile, url)
    url, api_key = url or os.environ.get("QKD_URL"), os.environ.get("QKD_API_KEY")
    if api_key:
        return Access(url or DEFAULT_URL, api_key)
    default = document.get("profile")
    if default:
        return _of_profile(document, str(default), url)
    raise Misconfigured(
        f"There is no API key. Set QKD_API_KEY, or name a profile in {shown(config_file())} (docs/client.md shows how)."
    )


def _document() -> Mapping[str, Any]:
    file = config_file()
    try:
        return tomllib.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{shown(file)} cannot be read: {shown(error)}") from error


def _of_profile(document: Mapping[str, Any], name: str, url: str | None) -> Access:
    profiles = document.get("profiles")
    found = profiles.get(name) if isinstance(profiles, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("url"), str):
        raise Misconfigured(f"{shown(config_file())} has no profile {shown(name)} with a url.")
    own = found["url"]
    if url is not None and url.rstrip("/") != own.rstrip("/"):
        raise Misconfigured(
            f"The key of the profile {shown(name)} is for {shown(own)} alone. Set QKD_API_KEY to use another server."
        )
    return Access(own, _key_of(name, found.get("key")))


def _key_of(name: str, key: object) -> str:
    match key:
        case {"env": str(variable), **rest} if not rest:
            value = os.environ.get(variable)
        case {"command": str(command), **rest} if not rest:
            value = _answer_of(command)
        case {"keyring": str(service), **rest} if not rest:
            value = _from_keyring(service, name)
        case _:
            raise Misconfigured(
                f"The profile {shown(name)} needs one of key.env, key.command and key.keyring; a key does not "
                "stand in the file itself."
            )
    if not value:
        raise Misconfigured(f"The profile {shown(name)} names a place for its API key where there is none.")
    return value


def _answer_of(command: str) -> str:
    """The first line that a command of the user's own file writes."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, run without a shell
            shlex.split(command), capture_output=True, text=True, check=True, timeout=KEY_SECONDS
        )
    except (
        OSError,
        ValueError,
        IndexError,
        subprocess.SubprocessError,
    ) as error:  # an empty one has no first word
        raise Misconfigured(f"The command for the API key failed ({type(error).__name__}).") from error
    return done.stdout.partition("\n")[0].strip()


def _from_keyring(service: str, name: str) -> str | None:
    try:
        import keyring  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise Misconfigured("Install the keyring package: pip install 'qkdclient[keyring]'") from None
    try:
        found: str | None = keyring.get_password(service, name)
    except keyring.errors.KeyringError as error:
        raise Misconfigured(f"The keyring did not give the API key ({type(error).__name__}).") from error
    return found
