"""``python -m apps.stack.locks write|check|audit|sbom``: the locks, and what is exported from them.

``uv.lock`` and the one beside ``apps/stack/embedded/pyproject.toml`` hold every version and hash. The
requirements files are exports of them, committed so that a new machine installs without resolving anything.

Locks name PyPI itself, whatever index this machine is configured for: otherwise each machine would rewrite
them. So ``write`` needs PyPI; ``check`` and ``sbom`` need no network; ``audit`` asks api.osv.dev.
"""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import NamedTuple

from apps.stack import uv

HEADER = "# Exported from uv.lock: change pyproject.toml, then run `make lock`.\n"
# Of uv's own settings these say how to reach the network; the others could change what is written.
KEPT = {"UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"}


class Export(NamedTuple):
    """A requirements file: the project in whose folder its lock is, and the groups beside the run-time set."""

    file: str
    project: str = "."
    groups: tuple[str, ...] = ()


EXPORTS = (
    Export("requirements.txt"),  # what Zappa packs
    Export("requirements-local.txt", groups=("local",)),
    Export("requirements-dev.txt", groups=("dev",)),
    Export("apps/stack/embedded/requirements.txt", project="apps/stack/embedded"),
    Export("infra/requirements.txt", project="infra"),
)
PROJECTS = tuple(dict.fromkeys(export.project for export in EXPORTS))


def main(root: Path, wanted: str, *options: str) -> int:
    """Return the exit code."""
    return {"write": write, "check": check, "audit": audit, "sbom": sbom}[wanted](root, *options)


def write(root: Path, *options: str) -> int:
    """Bring the locks up to date with ``pyproject.toml``, keeping the versions that still fit, and export them."""
    for project in PROJECTS:
        run(root, project, "lock", *options).check_returncode()
    for export in EXPORTS:
        (root / export.file).write_text(exported(root, export), encoding="utf-8")
    return 0


def check(root: Path) -> int:
    """Return 1 where a lock does not fit ``pyproject.toml`` any more, or a requirements file its lock."""
    stale = [export.file for export in EXPORTS if is_stale(root, export)]
    if stale:
        say(f"Not what pyproject.toml and uv.lock say: {', '.join(stale)}. Run: make lock")
    return 1 if stale else 0


def audit(root: Path, *options: str) -> int:
    """Ask for known vulnerabilities of everything that is locked; return 1 where there are some."""
    asked = ["--locked", "--preview-features", "audit-command", *options]
    codes = [run(root, project, "audit", *asked).returncode for project in PROJECTS]
    return 1 if any(codes) else 0


def sbom(root: Path) -> int:
    """Write a bill of materials (CycloneDX) for each requirements file."""
    folder = root / "build" / "sbom"
    folder.mkdir(parents=True, exist_ok=True)
    asked = ["--format", "cyclonedx1.5", "--preview-features", "sbom-export"]
    for export in EXPORTS:
        file = folder / (export.file.removesuffix(".txt").replace("/", "-") + ".cdx.json")
        file.write_text(output(root, export, *asked), encoding="utf-8")
        say(str(file.relative_to(root)))
    return 0


def is_stale(root: Path, export: Export) -> bool:
    """Return whether a requirements file is another than its lock gives, or the lock another than its project."""
    try:
        return (root / export.file).read_text(encoding="utf-8") != exported(root, export)
    except (subprocess.CalledProcessError, FileNotFoundError):
        return True  # uv has said why, or the file is missing


def exported(root: Path, export: Export) -> str:
    return HEADER + output(root, export, "--no-header", "--no-emit-project")


def output(root: Path, export: Export, *options: str) -> str:
    """Return what uv exports, from the lock alone.

    Raises:
        CalledProcessError: the lock does not fit its ``pyproject.toml``.
    """
    groups = [f"--group={group}" for group in export.groups]
    done = run(
        root, export.project, "export", "--quiet", "--offline", "--locked", *groups, *options, stdout=PIPE
    )
    done.check_returncode()
    return done.stdout


def run(
    root: Path, project: str, command: str, *options: str, stdout: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run uv for a project, whose own words for what is wrong go to the terminal."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("UV_") or name in KEPT
    }
    return subprocess.run(  # noqa: S603 - our own program
        [str(uv.provide(root)), command, "--project", str(root / project), "--no-config", *options],
        env={**environment, "UV_PYTHON": sys.executable},
        cwd=root,
        stdout=stdout,
        text=True,
        check=False,
    )


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main(uv.ROOT, *sys.argv[1:]))
