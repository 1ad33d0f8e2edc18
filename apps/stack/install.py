"""``python3 -m apps.stack.install run|dev|infra``: the locked packages, each set in an environment of its own.

Run by the system's Python, so it uses the standard library only, in words that an old Python can parse: it is
the one that has to say that it is too old. What is installed already is not touched, and then nothing is asked
of the network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from apps.stack import package_index, uv

ROOT = uv.ROOT
VENV = ROOT / ".venv"
STACK = ROOT / ".venv-stack"
INFRA = ROOT / ".venv-infra"
OLDEST, TOO_NEW = (3, 11), (3, 15)  # as requires-python in pyproject.toml
SETS = {"run": "requirements-local.txt", "dev": "requirements-dev.txt"}
STACK_SET = "apps/stack/embedded/requirements.txt"
INFRA_SET = "infra/requirements.txt"


def main() -> None:
    wanted = sys.argv[1]
    if wanted == "infra":
        make_environment(INFRA)
        synchronise(INFRA, INFRA_SET)
        return
    # The larger set serves for running, too; the smaller must not replace it.
    if wanted == "run" and stamp(VENV, SETS["dev"]).exists():
        wanted = "dev"
    for folder, requirements in ((VENV, SETS[wanted]), (STACK, STACK_SET)):
        make_environment(folder)
        synchronise(folder, requirements)


def check_python() -> None:
    """End with a clear sentence where this Python will not do."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.version_info[:2] < OLDEST:
        sys.exit(
            f"Python {version} is too old: 3.11 to 3.14 is needed. Choose one: make PYTHON=python3.13 ..."
        )
    if sys.version_info[:2] >= TOO_NEW:
        sys.exit(f"Python {version} is newer than the pinned packages: 3.11 to 3.14 is needed.")


def make_environment(folder: Path) -> None:
    """Make an environment, unless one is there that works: one that was moved or is of another Python is replaced."""
    if works(folder):
        return
    check_python()
    say(f"Making {folder.name} ...")
    call_uv("venv", "--clear", "--no-project", "--python", sys.executable, str(folder))


def works(folder: Path) -> bool:
    """Return whether the environment's Python starts, is one that the packages support, and knows where it is."""
    python = folder / "bin" / "python"
    if not python.exists():
        return False
    question = f"import sys; print({OLDEST} <= sys.version_info[:2] < {TOO_NEW}, sys.prefix)"
    answer = subprocess.run([str(python), "-c", question], stdout=subprocess.PIPE, check=False)  # noqa: S603
    return answer.stdout.decode().strip() == f"True {folder}"


def synchronise(folder: Path, requirements: str) -> None:
    """Install exactly the packages of a file, with their bytecode."""
    if is_installed(folder, requirements):
        return
    check_python()
    say(f"Installing {requirements} into {folder.name} ...")
    for known in folder.glob(".installed-*"):
        known.unlink()
    python = str(folder / "bin" / "python")
    call_uv(
        "pip", "sync", "--require-hashes", "--compile-bytecode", "--python", python, str(ROOT / requirements)
    )
    mark(folder, requirements)


def stamp(folder: Path, requirements: str) -> Path:
    """A copy of the file that was installed: its text is compared, since its date changes with each checkout."""
    return folder / (".installed-" + requirements.replace("/", "-"))


def is_installed(folder: Path, requirements: str) -> bool:
    """Return whether the environment holds what the file says now."""
    known = stamp(folder, requirements)
    return known.exists() and known.read_bytes() == (ROOT / requirements).read_bytes()


def mark(folder: Path, requirements: str) -> None:
    """Note what is installed. It is called last, so that an interrupted installation starts again."""
    shutil.copyfile(str(ROOT / requirements), str(stamp(folder, requirements)))


def call_uv(*arguments: str) -> None:
    left_out = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment.update(package_index.for_uv())
    call([str(uv.provide(ROOT)), "--quiet", *arguments], environment)


def call(command: list[str], environment: dict[str, str]) -> None:
    code = subprocess.call(command, cwd=str(ROOT), env=environment)  # noqa: S603
    if code:
        sys.exit(f"Failed (exit code {code}): {' '.join(command)}")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    main()
