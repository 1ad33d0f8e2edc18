"""The two wheels, built from the sources and installed with pip in an environment that holds nothing else.

No network: what they need is packed again from the environment that runs the tests.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from apps.stack.configuration import ROOT
from tests import requirement

OURS = ("qkdseal", "qkdclient")
NEEDED = ("click", "cryptography", "cffi", "pycparser", "urllib3")
BUILD = "import setuptools.build_meta as backend, sys; print(backend.build_wheel(sys.argv[1]))"


def build(name: str, wheels: Path, folder: Path) -> Path:
    """Build a wheel from a copy: the build leaves traces beside the sources."""
    copy = folder / name
    shutil.copytree(ROOT / name, copy, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(wheels)], cwd=copy, check=True, capture_output=True, text=True
    )
    return wheels / done.stdout.splitlines()[-1]


def pack(name: str, wheels: Path) -> None:
    """Pack an installed distribution as the wheel that it came from."""
    found = metadata.distribution(name)
    tag = next(line for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag: "))
    escaped = found.metadata["Name"].replace("-", "_").lower()
    info = next(file for file in found.files or () if str(file).endswith(".dist-info/METADATA")).parent
    rows = []
    path = wheels / f"{escaped}-{found.version}-{tag.removeprefix('Tag: ')}.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in found.files or ():
            if (
                ".." in file.parts
                or "__pycache__" in file.parts
                or file.name in {"RECORD", "INSTALLER", "REQUESTED"}
            ):
                continue
            data = Path(str(file.locate())).read_bytes()
            wheel.writestr(str(file), data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{file},sha256={digest},{len(data)}")
        wheel.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,"]) + "\n")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    for name in OURS:
        build(name, folder, tmp_path_factory.mktemp("sources"))
    for name in NEEDED:
        pack(name, folder)
    return folder


def install(wheels: Path, where: Path, *names: str) -> Path:
    """An environment of its own, without pip, with what pip puts there."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(where)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(where / "bin" / "python"), "install", "--quiet"]
    subprocess.run(
        [*pip, "--no-index", "--find-links", str(wheels), "--disable-pip-version-check", *names],
        check=True,
        env=clean(),
        capture_output=True,
    )
    return where / "bin"


def clean(**more: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_", "COV"))} | more


def installed(binaries: Path) -> set[str]:
    code = "import json; from importlib.metadata import distributions as d; print(json.dumps([x.name for x in d()]))"
    done = subprocess.run([binaries / "python", "-c", code], check=True, capture_output=True, env=clean())
    return {name.lower() for name in json.loads(done.stdout)}


@requirement("C8", "H1")
def test_both_wheels_install_into_an_empty_environment_and_work(wheels, tmp_path, platform):
    binaries = install(wheels, tmp_path / "empty", *OURS)
    assert installed(binaries) == {*OURS, *NEEDED}
    environment = clean(QKD_URL=platform.url, QKD_API_KEY="key", XDG_STATE_HOME=str(tmp_path / "state"))
    (tmp_path / "a.bin").write_bytes(os.urandom(100_000))

    def run(*arguments: str) -> str:
        command = [str(binaries / "qkdclient"), *arguments]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
        ).stdout

    assert (
        run("--version").split()[-1]
        == tomllib.loads((ROOT / "qkdclient/pyproject.toml").read_text())["project"]["version"]
    )
    for local in ([], ["--local"]):
        file_id = json.loads(run("upload", "a.bin", "--json", *local))["file_id"]
        run("download", file_id, "-o", "copy", *local)
        assert (tmp_path / "copy").read_bytes() == (tmp_path / "a.bin").read_bytes()


@requirement("H1")
def test_the_format_alone_needs_cryptography_alone(wheels, tmp_path):
    binaries = install(wheels, tmp_path / "empty", "qkdseal")
    assert installed(binaries) == {"qkdseal", "cryptography", "cffi", "pycparser"}
    made = subprocess.run(
        [str(binaries / "qkdseal"), "recipient", "-o", "me.json"],
        check=True,
        cwd=tmp_path,
        env=clean(),
        capture_output=True,
    )
    assert json.loads(made.stdout)["suite"] == "xwing-hkdf-sha512-aes256gcm"


@requirement("H1")
@pytest.mark.parametrize("name", OURS)
def test_a_wheel_holds_its_package_types_and_licence_and_nothing_else(name, wheels):
    [wheel] = wheels.glob(f"{name}-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {
        str(path.relative_to(ROOT)) for path in (ROOT / name).rglob("*.py") if "build" not in path.parts
    }
    inside = {path for path in names if ".dist-info/" not in path}
    data = {"qkdclient/catalogue.json"} if name == "qkdclient" else set()
    assert inside == {*sources, *data, f"{name}/py.typed"}
    assert any(path.endswith("/licenses/LICENSE") for path in names)
    assert (ROOT / name / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@requirement("H1")
@pytest.mark.parametrize("name", OURS)
def test_what_a_wheel_needs_fits_what_is_locked(name):
    for text in tomllib.loads((ROOT / name / "pyproject.toml").read_text())["project"]["dependencies"]:
        needed, _, series = text.partition("~=")
        found = metadata.version(needed) if needed not in OURS else "0.1.0"
        assert found.split(".")[0] == series.split(".")[0], text
