"""What goes into the package: the run-time set without what Lambda brings, and the platform's own files by name.

Trimmed is only what was tried: greedy trimming broke Django and scipy (``numpy.typing``, ``numpy.f2py``, ``django/conf/locale`` and
``django.contrib.admindocs`` are imported, for example).
"""

import re
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

PACKAGES = ("apps", "qkd", "qkdseal", "qkdplatform")
SUFFIXES = frozenset({".py", ".html", ".css", ".js", ".svg", ".txt", ".typed"})
NEVER = ("apps/stack/*", "*/__pycache__/*")
RUNTIME_BRINGS = frozenset({"boto3", "botocore", "s3transfer", "jmespath"})  # Lambda's own, with its fixes
# The engine uses scipy.special, which imports none of these; scipy.optimize serves its command line only
SCIPY_UNUSED = (
    *(
        "cluster",
        "constants",
        "datasets",
        "differentiate",
        "fft",
        "fftpack",
        "integrate",
        "interpolate",
        "io",
    ),
    *("linalg", "misc", "ndimage", "odr", "optimize", "signal", "sparse", "spatial", "stats"),
)
TRIMMED = (
    "*.pyi",
    "*.pxd",
    "*.pyx",
    "*.h",
    "*.map",
    "*/locale/*/LC_MESSAGES/*",  # the console is English; locale/en is kept below
    "*/static/*",  # collected into staticfiles
    "prompt_toolkit/*",  # of celery's interactive shell
    "wcwidth/*",
    "click_repl/*",
    "bin/*",  # console scripts
    "*/tests/*",
    *(f"scipy/{part}/*" for part in SCIPY_UNUSED),
    "allauth/socialaccount/providers/*/*",  # 120 of them; the one in use is kept below, with what it is made of
    "aws_lambda_powertools/event_handler/*",  # Django routes
    "django/contrib/gis/*",
    "numpy/distutils/*",  # builds extensions
    "scipy/special/cython_special*",  # likewise
    *("scipy/_lib/cobyqa/*", "scipy/_lib/pyprima/*"),  # of scipy.optimize
    "*.dist-info/RECORD",  # names the trimmed files, too
    "*.dist-info/direct_url.json",
    "*.dist-info/sboms/*",
)
KEPT = (
    "*/locale/en/LC_MESSAGES/*",
    *(f"allauth/socialaccount/providers/{name}/*" for name in ("base", "oauth2", "openid_connect")),
)
STATIC_TRIMMED = (
    "*redoc*",
    "*.map",
    "rest_framework/*",
)  # the second page of the API, and pages of its framework


def own_files(root: Path) -> Iterator[Path]:
    """Yield the platform's files, relative to its root, in order."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            name = path.relative_to(root)
            if path.is_file() and path.suffix in SUFFIXES and not _is(name, NEVER):
                yield name


def requirements(text: str) -> str:
    """Leave out of an exported requirements file what the Lambda runtime brings."""
    blocks = re.split(r"(?m)^(?=[a-z0-9])", text)
    return "".join(block for block in blocks if re.split(r"[=\s]", block)[0] not in RUNTIME_BRINGS)


def trim(site: Path) -> int:
    """Remove what the function never reads; return how many bytes."""
    return _remove(site, TRIMMED, KEPT)


def trim_static(static: Path) -> int:
    """Remove collected files that no page of the console or the API's names; return how many bytes."""
    return _remove(static, STATIC_TRIMMED, ())


def _remove(folder: Path, patterns: tuple[str, ...], kept: tuple[str, ...]) -> int:
    removed = 0
    for path in sorted(folder.rglob("*"), reverse=True):
        name = path.relative_to(folder)
        if path.is_file() and _is(name, patterns) and not _is(name, kept):
            removed += path.stat().st_size
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    shutil.rmtree(folder / "bin", ignore_errors=True)
    return removed


def _is(name: Path, patterns: tuple[str, ...]) -> bool:
    return any(
        fnmatch(name.as_posix(), pattern) or fnmatch("/" + name.as_posix(), pattern) for pattern in patterns
    )
