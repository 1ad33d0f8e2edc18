"""The package for Lambda: what goes in, what may not, and that it answers by itself."""

import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile

import pytest

from apps.stack.configuration import ROOT
from deploy import archive, checks, contents, pack
from tests import requirement
from tests.platform.test_cold_start import started

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def site(tmp_path):
    """A package in which nothing is wrong."""
    for name in ("qkdplatform/lambda_handler.py", "staticfiles/admin/css/base.css"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    return tmp_path


def put(site, name, content=b""):
    (site / name).parent.mkdir(parents=True, exist_ok=True)
    (site / name).write_bytes(content)


def library(machine):
    return b"\x7fELF" + bytes(14) + struct.pack("<H", machine)


@requirement("G1")
def test_a_good_package_has_no_problems(site):
    put(site, "numpy/core.abi3.so", library(checks.X86_64))
    put(site, "a/__pycache__/b.cpython-313.pyc", bytes(4) + b"\x01\0\0\0")
    assert checks.problems(site, python="3.13") == []


@requirement("G1", "E7")
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.so", library(183), "a.so is not for x86_64 Linux."),
        ("a.so", b"\xcf\xfa\xed\xfe" + bytes(20), "a.so is not for x86_64 Linux."),
        ("x.libs/a.so.5", library(183), "x.libs/a.so.5 is not for x86_64 Linux."),
        ("a.cpython-312-x86_64-linux-gnu.so", library(62), "is for Python 3.12, not 3.13."),
        (
            "a/__pycache__/b.cpython-311.pyc",
            bytes(4) + b"\x01\0\0\0",
            "is bytecode of another Python than 3.13.",
        ),
        ("a/__pycache__/b.cpython-313.pyc", bytes(8), "is checked against its source at each start."),
        ("a/__pycache__/b.cpython-313.pyc", bytes(4) + b"\x03\0\0\0", "is checked against its source"),
        ("boto3/session.py", b"", "boto3/session.py must not be packed."),
        ("apps/stack/run.py", b"", "must not be packed."),
        ("tests/conftest.py", b"", "must not be packed."),
        ("zappa_settings.py", b"", "must not be packed."),
        (".local/root.key", b"", "must not be packed."),
        ("stage.env", b"", "must not be packed."),
        ("apps/a.py", b"KEY = '''-----BEGIN PRIVATE " + b"KEY-----'''", "apps/a.py holds a secret."),
        ("qkd/a.txt", b"AKIA" + b"ABCDEFGHIJKLMNOP", "qkd/a.txt holds a secret."),
    ],
)
def test_what_must_not_be_deployed_is_said(site, name, content, said):
    put(site, name, content)
    found = checks.problems(site, python="3.13")
    assert any(said in problem for problem in found), found


@requirement("G1")
def test_a_package_that_is_too_large_is_refused(site, monkeypatch):
    monkeypatch.setattr(checks, "MAX_UNZIPPED", 10)
    put(site, "large", b"12345678901")
    assert any("MiB unzipped" in problem for problem in checks.problems(site, python="3.13"))


@requirement("G1")
def test_a_package_without_static_files_is_refused(tmp_path):
    assert "staticfiles/admin/css/base.css is missing." in checks.problems(tmp_path, python="3.13")


@requirement("G1")
def test_only_the_platform_s_own_files_are_taken():
    found = [name.as_posix() for name in contents.own_files(ROOT)]
    assert {name.partition("/")[0] for name in found} == set(contents.PACKAGES)
    assert "qkdplatform/lambda_handler.py" in found
    assert not any(name.startswith("apps/stack/") or "__pycache__" in name for name in found)


@requirement("G1")
def test_every_kind_of_file_that_the_platform_has_is_taken_or_left_on_purpose():
    left = {".toml", ".md", ""}  # about wheels
    not_ours = ("/stack/", "/__pycache__/")  # what Python and numba compile is made anew
    kinds = {
        path.suffix
        for package in contents.PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not any(part in path.as_posix() for part in not_ours)
    }
    assert kinds - left <= contents.SUFFIXES


@requirement("G1")
def test_what_the_runtime_brings_is_not_installed():
    found = contents.requirements((ROOT / "requirements.txt").read_text())
    names = {
        line.partition("==")[0] for line in found.splitlines() if "==" in line and not line.startswith(" ")
    }
    assert not names & contents.RUNTIME_BRINGS
    assert {"django", "numpy", "psycopg", "psycopg-binary", "celery"} <= names


@requirement("G1")
def test_a_zip_depends_on_its_content_alone(tmp_path):
    hashes = set()
    for number, order in enumerate([("a", "b/c"), ("b/c", "a")]):
        folder = tmp_path / str(number)
        for name in order:
            put(folder, name, name.encode())
            os.utime(folder / name, (number, number))
        hashes.add(archive.write(folder, tmp_path / f"{number}.zip"))
    assert len(hashes) == 1
    with zipfile.ZipFile(tmp_path / "0.zip") as packed:
        assert packed.namelist() == ["a", "b/c"]
        assert packed.read("b/c") == b"b/c"


@requirement("G1")
@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_a_python_that_lambda_does_not_run_does_not_pack(monkeypatch, version):
    monkeypatch.setattr(pack.sys, "version_info", (*version, 0))  # type: ignore[attr-defined]
    with pytest.raises(pack.Unpackable, match="pack with"):
        pack.python_version()


def run(runtime, code):
    """Run code with the package and the SDK only, as Lambda does."""
    lines = f"import sys; sys.path[:0] = {runtime!r}\n{code}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", lines], cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.slow
@requirement("G1")
def test_the_same_input_gives_the_same_package(package, tmp_path):
    assert pack.pack(tmp_path)["sha256"] == package[1]["sha256"]
    shutil.rmtree(tmp_path / "package")


@pytest.mark.slow
@requirement("G1")
def test_the_package_is_small_enough_and_for_this_python(package):
    report = json.loads((package[0] / "package.json").read_text())
    assert report["unzipped_mib"] <= 180
    assert report["runtime"] == f"python{PYTHON}"


@pytest.mark.slow
@requirement("G1", "H1")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/health", 200),
        ("/static/admin/css/base.css", 200),
        ("/api/schema", 200),
        ("/admin/", 302),  # to sign in; that page asks the database
    ],
)
def test_the_package_answers_by_itself(runtime, path, status):
    answer = started(path, site=runtime)["answer"]
    assert answer["statusCode"] == status


@pytest.mark.slow
@requirement("G1", "A1")
def test_the_engine_and_the_detector_run_from_the_package(runtime):
    code = """
from qkd import session
from qkd.channel import preset
from qkd.detection import evidence_of, judge
made = session.run(session.SessionParameters(key_length=256, error_rate=0.02))
counted = evidence_of(made.ledger(), compared=made.compared)
found = judge(counted, history=[counted] * 20)
session.plan(session.SessionParameters(key_length=256, channel=preset("gys2005")))
print(made.final_length, found.is_compromised)
"""
    assert run(runtime, code) == "256 False"


@pytest.mark.slow
@requirement("G1")
def test_every_module_of_the_platform_can_be_imported_from_the_package(runtime, package):
    names = [
        name.with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for name in contents.own_files(ROOT)
        # Tools of the engine's command line, which is not deployed, and what numba compiles
        if name.suffix == ".py"
        and name.name not in {"plots.py", "__main__.py"}
        and not name.name.startswith("numba_")
        and name.as_posix() != "apps/kme/api/server.py"  # on a socket of its own, which no function has
    ]
    code = (
        "import os, importlib; os.environ.update("
        + repr(pack.SETTINGS)
        + f"); import django; django.setup()\nfor name in {names!r}: importlib.import_module(name)\nprint('all')"
    )
    assert run(runtime, code) == "all"
