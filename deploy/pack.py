"""``python -m deploy.pack``: build/package.zip for Lambda, with what is checked about it in build/package.json.

Zappa's own packer takes the environment that it runs in: 917 MiB. The zip is for the Python that packs; the stage's
runtime follows it, since bytecode is of one version. It holds no settings, so that one zip serves every stage.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from apps.stack import package_index, uv
from deploy import archive, checks, contents

ROOT = uv.ROOT
BUILD = ROOT / "build"
PLATFORM = "x86_64-manylinux_2_28"  # glibc of Amazon Linux 2023, which Lambda's Python 3.12 and later run on
SUPPORTED = ((3, 11), (3, 14))  # from, before: what Lambda and Zappa both run
TOO_OLD_ON_AWS = (
    "3.11"  # on Amazon Linux 2, glibc 2.26; enough for trying the package on a machine with a newer one
)
# For collecting static files only: nothing is reached with them
SETTINGS = {
    "QKD_STAGE": "package",
    "DJANGO_SETTINGS_MODULE": "qkdplatform.settings",
    "DATABASE_URL": "sqlite://:memory:",
    "BASE_URL": "https://qkd.example.com",
    "ROOT_KEY": "kms:alias/none",
    **dict.fromkeys(
        ("DJANGO_SECRET_KEY", "API_KEY_PEPPER", "AUDIT_KEY", "RECORD_KEY", "METADATA_KEY"), "packing"
    ),
}


class Unpackable(Exception):
    """The package cannot be deployed."""


def python_version() -> str:
    """Return the Python that packs, such as ``3.13``.

    Raises:
        Unpackable: Lambda has no such runtime, or Zappa does not know it.
    """
    found = sys.version_info[:2]
    if not SUPPORTED[0] <= found < SUPPORTED[1]:
        raise Unpackable(f"Python {found[0]}.{found[1]} is not for Lambda: pack with 3.11 to 3.13.")
    return f"{found[0]}.{found[1]}"


def main() -> int:
    """Pack, check and report; return the exit code."""
    try:
        report = pack(BUILD)
    except Unpackable as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(report, indent=2))
    return 0


def pack(build: Path) -> dict[str, object]:
    """Make the package below ``build``; return what is known about it.

    Raises:
        Unpackable: a check failed; the sentences say what.
    """
    python, site = python_version(), build / "package"
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    _install(build, site, python)
    for name in contents.own_files(ROOT):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, site / name)
    _collect_static(site)
    contents.trim(site)
    contents.trim_static(site / "staticfiles")
    _compile(site)
    found = checks.problems(site, python=python)
    if found:
        raise Unpackable("\n".join(found))
    target = build / "package.zip"
    report: dict[str, object] = {
        "sha256": archive.write(site, target),
        "runtime": f"python{python}",
        "zipped_mib": round(target.stat().st_size / checks.MIB, 1),
        "unzipped_mib": round(sum(p.stat().st_size for p in site.rglob("*") if p.is_file()) / checks.MIB, 1),
    }
    (build / "package.json").write_text(json.dumps(report, indent=2) + "\n")
    return report


def _install(build: Path, site: Path, python: str) -> None:
    wanted = build / "requirements.txt"
    wanted.write_text(contents.requirements((ROOT / "requirements.txt").read_text()))
    options = [
        "--target",
        site,
        "--python-platform",
        PLATFORM,
        "--python-version",
        python,
        "--only-binary",
        ":all:",
    ]
    _run(
        [
            uv.provide(ROOT),
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            *options,
            "-r",
            wanted,
        ],
        package_index.for_uv(),
    )


def _collect_static(site: Path) -> None:
    """Collect with the platform's environment: the package's own may be for another machine."""
    code = (
        "import django; from django.conf import settings; settings.STATIC_ROOT = __import__('sys').argv[1];"
        "django.setup(); from django.core.management import call_command;"
        "call_command('collectstatic', interactive=False, verbosity=0)"
    )
    _run([sys.executable, "-c", code, site / "staticfiles"], SETTINGS)


def _compile(site: Path) -> None:
    """Compile everything, trusting the source: it cannot change on Lambda, and each check would cost a call."""
    for cached in sorted(site.rglob("__pycache__")):
        shutil.rmtree(cached)
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    # -s and -p: tracebacks name the place on Lambda; one process in order, with one hash seed: the same bytes each time
    _run([*command, "-s", site, "-p", "/var/task", site], {"PYTHONHASHSEED": "0"}, allowed=(0, 1))


def _run(command: list[object], environment: dict[str, str], *, allowed: tuple[int, ...] = (0,)) -> None:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in allowed:
        raise Unpackable(f"{words[0]} failed ({done.returncode}): {done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
