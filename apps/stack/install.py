"""``python3 apps/stack/install.py run|dev``: the pinned packages, each set in an environment of its own.

Run by the system's Python, so it uses the standard library only, in words that an old Python understands:
it is the one that has to say that it is too old. What is installed already is not touched, and then nothing
is asked of the network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
STACK = ROOT / ".venv-stack"
OLDEST, TOO_NEW = (3, 11), (3, 15)  # as requires-python in pyproject.toml
SETS = {"run": "requirements-local.txt", "dev": "requirements-dev.txt"}
UV = "requirements-uv.txt"


def main() -> None:
    wanted = sys.argv[1]
    # The larger set serves for running, too; the smaller must not replace it.
    if wanted == "run" and stamp(VENV, SETS["dev"]).exists():
        wanted = "dev"
    make_environment(VENV, pip=True)
    if not is_installed(VENV, UV):
        say("Installing uv ...")
        pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        call([*pip, "--require-hashes", "-r", str(ROOT / UV)])
        mark(VENV, UV)
    synchronise(VENV, SETS[wanted])
    make_environment(STACK, pip=False)
    synchronise(STACK, "requirements-stack.txt")


def check_python() -> None:
    """End with a clear word where this Python will not do."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.version_info[:2] < OLDEST:
        sys.exit(
            f"Python {version} is too old: 3.11 to 3.14 is needed. Choose one: make PYTHON=python3.13 ..."
        )
    if sys.version_info[:2] >= TOO_NEW:
        sys.exit(f"Python {version} is newer than the pinned packages: 3.11 to 3.14 is needed.")
    if not (find_spec("venv") and find_spec("ensurepip")):
        sys.exit(
            f"Python's venv module is missing. On Debian and Ubuntu: sudo apt install python{version}-venv"
        )


def make_environment(folder: Path, pip: bool) -> None:
    """An environment here; one that works is kept, one that was moved or is of another Python is made anew."""
    if works(folder):
        return
    check_python()
    say(f"Making {folder.name} ...")
    if folder.exists():
        shutil.rmtree(str(folder))
    call([sys.executable, "-m", "venv", *([] if pip else ["--without-pip"]), str(folder)])


def works(folder: Path) -> bool:
    """Whether the environment's Python starts, is one that the packages support, and knows where it is."""
    python = folder / "bin" / "python"
    if not python.exists():
        return False
    question = f"import sys; print({OLDEST} <= sys.version_info[:2] < {TOO_NEW}, sys.prefix)"
    answer = subprocess.run([str(python), "-c", question], stdout=subprocess.PIPE, check=False)  # noqa: S603
    return answer.stdout.decode().strip() == f"True {folder}"


def synchronise(folder: Path, requirements: str) -> None:
    """Exactly the packages of a file, with their bytecode."""
    if is_installed(folder, requirements):
        return
    say(f"Installing {requirements} into {folder.name} ...")
    for name in SETS.values():
        if stamp(folder, name).exists():
            stamp(folder, name).unlink()
    uv = [str(VENV / "bin" / "uv"), "pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode"]
    call([*uv, "--python", str(folder / "bin" / "python"), str(ROOT / requirements)])
    mark(folder, requirements)


def stamp(folder: Path, requirements: str) -> Path:
    """A copy of the file that was installed: its text is compared, since its date changes with each checkout."""
    return folder / (".installed-" + requirements)


def is_installed(folder: Path, requirements: str) -> bool:
    known = stamp(folder, requirements)
    return known.exists() and known.read_bytes() == (ROOT / requirements).read_bytes()


def mark(folder: Path, requirements: str) -> None:
    """Written last: an interrupted installation is begun again."""
    shutil.copyfile(str(ROOT / requirements), str(stamp(folder, requirements)))


def call(command: list[str]) -> None:
    left_out = {
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPATH",
        "PYTHONHOME",
        "VIRTUAL_ENV",
        "PIP_REQUIRE_VIRTUALENV",
    }
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    code = subprocess.call(command, cwd=str(ROOT), env=environment)  # noqa: S603
    if code:
        sys.exit(f"Failed (exit code {code}): {' '.join(command)}")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    main()
