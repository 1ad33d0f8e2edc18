"""Forbidden imports, planted in a copy of the house: each is caught, and by the contract that it breaks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from tests import contracts
from tests.contracts import Module

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("qkd", "apps", "qkdplatform", "qkdclient", "qkdseal")
PLANTED = {
    ("qkdseal.chunks", "django"): "usable alone",
    ("qkdseal.envelope", "botocore"): "usable alone",
    ("qkdseal.header", "time"): "usable alone",
    ("qkdseal.kem", "apps.common.clock"): "usable alone",
    ("qkd.bb84", "apps.common.errors"): "usable alone",
    ("qkdclient.client", "qkd.session"): "usable alone",
    ("qkdclient.api", "boto3"): "usable alone",
    ("apps.common.clock", "apps.audit.records"): "Common code",
    ("apps.common.sweeps", "apps.jobs.store"): "Common code",
    ("apps.console.render", "apps.keys.records"): "console's frame",
    ("apps.console.dashboard", "apps.stack.ports"): "console's frame",
    ("apps.files.tasks", "apps.stack.ports"): "embedded AWS",
    ("apps.common.health", "qkdplatform.celery"): "Django project",
    ("apps.jobs.services", "qkdplatform.celery"): "Django project",
    ("apps.files.uploads.pipeline", "rest_framework"): "no edge",
    ("apps.files.life.versions", "apps.console.render"): "no edge",
    ("apps.custody.destruction", "apps.console.render"): "no edge",
    ("apps.custody.approvals", "apps.keys.admin"): "no edge",
    ("apps.files.services", "apps.files.api.views.documents"): "no edge",
    ("apps.sessions.stock", "apps.common.lists"): "no edge",
    ("apps.sessions.finals", "apps.sessions.forms"): "no edge",
    ("apps.audit.services", "apps.access.authentication"): "no edge",
    ("apps.files.keys.rewrap", "apps.keys.store"): "store",
    ("apps.detections.events", "apps.detections.store"): "store",
    ("qkdplatform.celery", "apps.jobs.store"): "store",
    ("apps.jobs.control", "apps.files.services"): "Apps are layers",
    ("apps.keys.lifecycle", "apps.sessions.records"): "Apps are layers",
    ("apps.access.services", "apps.keys.records"): "Apps are layers",
    ("apps.detections.services", "apps.files.records"): "Apps are layers",
    ("apps.audit.records", "apps.access.roles"): "Apps are layers",
    ("apps.files.bodies.objects", "apps.files.life.versions"): "Rooms",
    ("apps.files.bodies.writer", "apps.files.uploads.pipeline"): "Rooms",
    ("apps.files.services", "apps.files.reading.ranges"): "Rooms",
    ("apps.files.uploads.announce", "apps.files.life.archive"): "Rooms",
    ("apps.files.life.archive", "apps.files.keys.rewrap"): "Rooms",
    ("apps.files.store", "apps.files.services"): "Rooms",
}
"""Who is made to import whom, and a word of the contract's name."""
ALSO = {
    ("apps.common.sweeps", "apps.jobs.store"): "store",
    ("apps.console.dashboard", "apps.stack.ports"): "AWS",
}
"""What breaks a second contract."""


def lint(house: Path) -> dict[str, set[str]]:
    """What import-linter says of a house: contract, and the imports that break it."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    environment = {**os.environ, "COLUMNS": "250"}
    done = subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True, check=False)
    assert "Contracts: " in done.stdout, done.stdout + done.stderr
    assert (done.returncode == 0) is (" 0 broken" in done.stdout), done.stdout
    found: dict[str, set[str]] = {}
    title = ""
    for line, after in zip(lines := done.stdout.splitlines(), [*lines[1:], ""], strict=True):
        if after and set(after) == {"-"}:
            title = line
        elif line.startswith("  "):
            found.setdefault(title, set()).add(line.strip())
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The house without its surroundings."""
    house = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", house)
    (house / "tests").mkdir()
    for name in ("__init__.py", "contracts.py"):
        shutil.copy(ROOT / "tests" / name, house / "tests")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, house / package, ignore=shutil.ignore_patterns("__pycache__", "static")
        )
    return house


def path_of(house: Path, module: str) -> Path:
    return house.joinpath(*module.split(".")).with_suffix(".py")


def test_the_house_keeps_its_contracts(copy):
    assert lint(copy) == {}


def test_each_planted_import_is_caught_by_its_contract(copy, tmp_path):
    house = shutil.copytree(copy, tmp_path / "house")
    for importer, imported in PLANTED:
        with path_of(house, importer).open("a") as file:
            file.write(f"\nimport {imported}  # planted\n")
    found = lint(house)
    for planted in (PLANTED, ALSO):
        for (importer, imported), word in planted.items():
            [contract] = [name for name in found if word in name]
            assert f"{importer} -> {imported}" in found[contract], contract
    caught = {line for lines in found.values() for line in lines}
    assert caught == {f"{importer} -> {imported}" for importer, imported in PLANTED}


@pytest.mark.parametrize(
    "written", ["from apps.console.render import badge", "def f():\n    import apps.console"]
)
def test_an_import_is_caught_however_it_is_written(copy, tmp_path, written):
    house = shutil.copytree(copy, tmp_path / "house")
    with path_of(house, "apps.custody.rootkeys").open("a") as file:
        file.write(f"\n{written}\n")
    [lines] = lint(house).values()
    assert all(line.startswith("apps.custody.rootkeys -> apps.console") for line in lines)


def test_a_module_that_stands_nowhere_is_named(copy, tmp_path):
    house = shutil.copytree(copy, tmp_path / "house")
    for module in ("apps.cellar.services", "apps.files.cellar.wine"):
        path_of(house, module).parent.mkdir()
        (path_of(house, module).parent / "__init__.py").touch()
        path_of(house, module).touch()
    lines = {line for found in lint(house).values() for line in found}
    assert "apps.cellar.services: its app is missing in APPS of tests/contracts.py" in lines
    assert "apps.files.cellar.wine: its room is missing in ROOMS of tests/contracts.py" in lines


def test_every_module_of_an_app_is_an_edge_or_a_service():
    graph = grimp.build_graph(*PACKAGES)
    domain = [Module(name) for name in graph.modules if Module(name).is_domain and len(name.split(".")) > 2]
    edges, services = [m for m in domain if m.is_edge], [m for m in domain if m.is_service]
    assert len(edges) + len(services) == len(domain)
    assert len(edges) > 90
    assert len(services) > 60
    named = {rooms for level in contracts.ROOMS for rooms in level} | {"services"}
    assert {module.room for module in services if module.app == "files"} <= named
