"""Fuzz packages with atheris, in an environment made for it: ``python -m tests.fuzz [seconds]``.

atheris has wheels for some versions of Python only; where it cannot be installed, this says so and ends with 2.
An input that finds something is kept as ``crash-…`` in the current folder.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from apps.stack.configuration import ROOT

ATHERIS = "atheris==3.0.0"
SECONDS = 300


def main() -> int:
    """The exit code of the fuzzer."""
    seconds = int(sys.argv[1]) if sys.argv[1:] else SECONDS
    uv = [sys.executable, "-m", "uv"]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "environment"
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(place)], check=True)
        python = str(place / "bin" / "python")
        wanted = [ATHERIS, *(f"{name}=={version(name)}" for name in ("cryptography", "pytest"))]
        install = [*uv, "pip", "install", "--quiet", "--python", python, "--only-binary", ":all:", *wanted]
        if subprocess.run(install, check=False).returncode:
            sys.stderr.write(f"{ATHERIS} cannot be installed for Python {sys.version.split()[0]}.\n")
            return 2
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        options = [f"-max_total_time={seconds}", "-max_len=8192", "-print_final_stats=1"]
        command = [python, "-m", "tests.fuzz.packages", *options, str(corpus)]
        return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
