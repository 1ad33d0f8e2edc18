"""Fuzz packages and the parties of a session with atheris: ``python -m tests.fuzz [seconds]``, half of them each.

They run in an environment made for it.
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
TARGETS = {
    "tests.fuzz.packages": ("-max_len=8192",),
    # What four changes take, from the first input on: a session takes too long for the lengths to grow by themselves
    "tests.fuzz.parties": ("-max_len=49", "-len_control=0"),
}
NEEDED = ("cryptography", "gmpy2", "numpy", "pytest")
SECONDS = 300


def main() -> int:
    """The exit code of the fuzzer."""
    seconds = int(sys.argv[1]) if sys.argv[1:] else SECONDS
    uv = [sys.executable, "-m", "uv"]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "environment"
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(place)], check=True)
        python = str(place / "bin" / "python")
        wanted = [ATHERIS, *(f"{name}=={version(name)}" for name in NEEDED)]
        install = [*uv, "pip", "install", "--quiet", "--python", python, "--only-binary", ":all:", *wanted]
        if subprocess.run(install, check=False).returncode:
            sys.stderr.write(f"{ATHERIS} cannot be installed for Python {sys.version.split()[0]}.\n")
            return 2
        limits = [f"-max_total_time={max(1, seconds // len(TARGETS))}", "-print_final_stats=1"]
        for target, options in TARGETS.items():
            corpus = Path(folder) / target
            corpus.mkdir()
            command = [python, "-m", target, *limits, *options, str(corpus)]
            if status := subprocess.run(command, cwd=ROOT, check=False).returncode:
                return status
        return 0


if __name__ == "__main__":
    sys.exit(main())
