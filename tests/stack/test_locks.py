"""The requirements files are what the locks say."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from apps.stack import install, locks, uv


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of the locks alone, with the uv of this environment, and nothing that could be reached."""
    for export in locks.EXPORTS:
        folder = tmp_path / export.project
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("pyproject.toml", "uv.lock"):
            shutil.copy(uv.ROOT / export.project / name, folder)
        shutil.copy(uv.ROOT / export.file, tmp_path / export.file)
    for member in ("qkdseal", "qkdclient"):
        (tmp_path / member).mkdir()
        shutil.copy(uv.ROOT / member / "pyproject.toml", tmp_path / member)
    for name in ("README.md", "LICENSE"):
        shutil.copy(uv.ROOT / name, tmp_path)
    monkeypatch.setattr(uv, "provide", lambda _: Path(sys.prefix) / "bin" / "uv")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    return tmp_path


def test_the_exports_are_fresh_whatever_index_is_configured(checkout):
    assert locks.main(checkout, "check") == 0


def test_every_file_that_is_installed_is_exported():
    installed = {*install.SETS.values(), install.STACK_SET, install.INFRA_SET}
    assert {*installed, "requirements.txt"} == {export.file for export in locks.EXPORTS}


@pytest.mark.parametrize("file", [export.file for export in locks.EXPORTS])
def test_a_line_changed_by_hand_is_stale(checkout, file, capsys):
    path = checkout / file
    path.write_text(re.sub(r"^(boto3|constructs)==", r"\1==0.", path.read_text(), flags=re.MULTILINE))
    assert locks.main(checkout, "check") == 1
    assert f"say: {file}. Run: make lock" in capsys.readouterr().out


def test_a_project_that_its_lock_does_not_fit_is_stale(checkout, capsys):
    project = checkout / "pyproject.toml"
    project.write_text(project.read_text().replace('"waitress~=', '"waitress~=99.'))
    assert locks.main(checkout, "check") == 1
    assert "requirements-local.txt" in capsys.readouterr().out


def test_a_missing_file_is_stale_and_written(checkout):
    (checkout / "requirements.txt").unlink()
    assert locks.main(checkout, "check") == 1
    assert locks.main(checkout, "write", "--offline") == 0
    assert (checkout / "requirements.txt").read_text() == (uv.ROOT / "requirements.txt").read_text()


def test_the_bill_of_materials_names_what_is_packed(checkout):
    assert locks.main(checkout, "sbom") == 0
    text = (checkout / "build" / "sbom" / "requirements.cdx.json").read_text()
    assert '"CycloneDX"' in text
    assert "pkg:pypi/django@" in text
    assert "pkg:pypi/pytest@" not in text


def test_an_audit_that_cannot_ask_fails(checkout):
    assert locks.main(checkout, "audit", "--offline") == 1


def test_every_package_comes_from_pypi():
    for project in locks.PROJECTS:
        packages = tomllib.loads((uv.ROOT / project / "uv.lock").read_text())["package"]
        own = ({"virtual": "."}, {"editable": "qkdseal"}, {"editable": "qkdclient"})
        assert all(p["source"] in ({"registry": "https://pypi.org/simple"}, *own) for p in packages)


def test_a_failing_lock_is_not_exported(checkout, monkeypatch):
    monkeypatch.setattr(locks, "run", lambda *_, **__: subprocess.CompletedProcess([], 2))
    (checkout / "requirements.txt").write_text("as before\n")
    with pytest.raises(subprocess.CalledProcessError):
        locks.main(checkout, "write")
    assert (checkout / "requirements.txt").read_text() == "as before\n"
