"""The program uv, taken out of one wheel of the configured package index: neither pip nor venv is needed for it.

Which wheel, and the SHA-256 it must have, is in ``uv.lock``. Standard library only, in words that an old Python
can parse; the functions need 3.11.
"""

from __future__ import annotations

import hashlib
import io
import platform
import re
import sys
import zipfile
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

from apps.stack import package_index

ROOT = Path(__file__).resolve().parent.parent.parent


class Wheel(NamedTuple):
    """A file on the index, and the digest that it must have."""

    name: str
    sha256: str


def provide(root: Path = ROOT) -> Path:
    """Install the uv that ``uv.lock`` names, unless it is there already, and return its path. Idempotent."""
    program, stamp = root / ".uv" / "uv", root / ".uv" / "sha256"
    lock = (root / "uv.lock").read_text(encoding="utf-8")
    if program.exists() and stamp.exists() and f'"sha256:{stamp.read_text()}"' in lock:
        return program
    wheel = locked_wheel(lock, platform_tag())
    print(f"Fetching {wheel.name} ...", flush=True)  # noqa: T201 - part of a command
    content = download(wheel)
    program.parent.mkdir(exist_ok=True)
    unpack(content, program)
    stamp.write_text(wheel.sha256)  # last: what is interrupted starts again
    return program


def platform_tag() -> str:
    """Return a pattern for the platform tag of wheels that run here."""
    if sys.platform == "darwin":
        system = "macosx"
    else:  # musl's libc has no version that Python finds
        system = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    return rf"{system}_(\d+)_(\d+)_{re.escape(platform.machine())}"


def locked_wheel(lock: str, tag: str) -> Wheel:
    """Return the wheel of uv in a lock for a platform; of several, the one for the oldest system."""
    import tomllib  # noqa: PLC0415 - only Python 3.11 has it, and an old one has to get as far as check_python

    found = []
    for package in tomllib.loads(lock)["package"]:
        for file in package.get("wheels", ()) if package["name"] == "uv" else ():
            name = file["url"].rpartition("/")[2]
            match = re.search(rf"[-.]{tag}[.]", name)
            if match:
                found.append((int(match[1]), int(match[2]), Wheel(name, file["hash"].partition(":")[2])))
    if not found:
        sys.exit(
            f"uv.lock has no wheel of uv for this system ({sys.platform}, {platform.machine()}). "
            "Linux and macOS on x86_64 and arm64 are supported."
        )
    return min(found)[2]


def download(wheel: Wheel) -> bytes:
    """Return the wheel's bytes, or end with a sentence. What has another digest is refused."""
    index = package_index.configured()
    shown = package_index.without_password(index)
    try:
        content = package_index.fetch(index, "uv", wheel.name)
    except (OSError, HTTPException, LookupError) as error:
        sys.exit(
            f"{wheel.name} could not be fetched from {shown}: {error}. "
            "Check the network, or name another index: make install UV_DEFAULT_INDEX=https://..."
        )
    digest = hashlib.sha256(content).hexdigest()
    if digest != wheel.sha256:
        sys.exit(
            f"{wheel.name} from {shown} is refused: its SHA-256 is {digest}, not {wheel.sha256} as in uv.lock. "
            "Use an index that serves the files of PyPI unchanged."
        )
    return content


def unpack(content: bytes, program: Path) -> None:
    """Put the program of a wheel in its place, in one step."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = next(name for name in archive.namelist() if name.endswith(".data/scripts/uv"))
        part = program.with_suffix(".part")
        part.write_bytes(archive.read(member))
    part.chmod(0o755)
    part.replace(program)
