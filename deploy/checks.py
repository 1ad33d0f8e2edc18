"""What a package must be before it is deployed: small enough, for Lambda's processor and Python, without what is forbidden."""

import re
import struct
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

MIB = 2**20
MAX_UNZIPPED = 180 * MIB  # Lambda's limit is 250 MiB with everything
X86_64 = 62  # of the ELF header's e_machine
FORBIDDEN = (
    "boto3/*",
    "botocore/*",
    "apps/stack/*",
    "tests/*",
    "moto/*",
    "zappa/*",
    "zappa_settings*",
    "*.env",
    ".git/*",
    ".local/*",
    "*.key",
    "*.sqlite3",
    "first-run.json",
)
# A private key, or a key of AWS or of this platform, in a text file; written so that it does not match itself
SECRET = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY|AKIA[0-9A-Z]{16}\b")
OUR_OWN = ("apps", "qkd", "qkdseal", "qkdplatform")


def problems(site: Path, *, python: str) -> list[str]:
    """Return what is wrong with an unpacked package, in sentences.

    Args:
        site: its folder.
        python: such as ``3.13``: what its extension modules and bytecode must be for.
    """
    files = sorted(path for path in site.rglob("*") if path.is_file())
    return [
        *_size(files),
        *(problem for path in files for problem in _file(path, path.relative_to(site), python)),
        *_missing(site),
    ]


def _size(files: list[Path]) -> Iterator[str]:
    size = sum(path.stat().st_size for path in files)
    if size > MAX_UNZIPPED:
        yield f"The package has {size / MIB:.1f} MiB unzipped; {MAX_UNZIPPED // MIB} are allowed."


def _file(path: Path, name: Path, python: str) -> Iterator[str]:
    if any(fnmatch(name.as_posix(), pattern) for pattern in FORBIDDEN):
        yield f"{name} must not be packed."
    if path.suffix == ".so" or ".so." in path.name:
        yield from _library(path, name, python)
    elif path.suffix == ".pyc":
        if f".cpython-{python.replace('.', '')}." not in path.name:
            yield f"{name} is bytecode of another Python than {python}."
        elif _flags(path) != 0b01:
            yield f"{name} is checked against its source at each start."
    elif name.parts[0] in OUR_OWN and SECRET.search(path.read_bytes()):
        yield f"{name} holds a secret."


def _library(path: Path, name: Path, python: str) -> Iterator[str]:
    header = path.read_bytes()[:20]
    if header[:4] != b"\x7fELF" or struct.unpack("<H", header[18:20])[0] != X86_64:
        yield f"{name} is not for x86_64 Linux."
    tag = re.search(r"\.cpython-(\d)(\d+)", path.name)
    if tag and f"{tag[1]}.{tag[2]}" != python:
        yield f"{name} is for Python {tag[1]}.{tag[2]}, not {python}."


def _flags(path: Path) -> int:
    """Return the flags of a bytecode file: 1 is hash-based, 2 is checked (PEP 552)."""
    return int.from_bytes(path.read_bytes()[4:8], "little")


def _missing(site: Path) -> Iterator[str]:
    for needed in ("qkdplatform/lambda_handler.py", "staticfiles/admin/css/base.css"):
        if not (site / needed).exists():
            yield f"{needed} is missing."
