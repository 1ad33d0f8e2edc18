"""Two environments with the locked packages: made once, and a clear sentence where they cannot be."""

import ast
import sys
from pathlib import Path

import pytest

from apps.stack import install, uv


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """A checkout of its own, in a path with spaces; what uv would be asked is only written down."""
    root = tmp_path / "a checkout"
    root.mkdir()
    made = []

    def call(*arguments):
        made.append(arguments)
        if arguments[0] == "venv":
            Path(arguments[-1]).mkdir()

    monkeypatch.setattr(install, "call_uv", call)
    monkeypatch.setattr(install, "ROOT", root)
    monkeypatch.setattr(install, "VENV", root / ".venv")
    monkeypatch.setattr(install, "STACK", root / ".venv-stack")
    for name in (*install.SETS.values(), install.STACK_SET):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("package==1\n")
    return made


def run(monkeypatch, kind):
    monkeypatch.setattr(sys, "argv", ["install", kind])
    install.main()


def synchronised(calls):
    return [str(Path(call[-1]).relative_to(install.ROOT)) for call in calls if call[:2] == ("pip", "sync")]


def test_everything_is_pinned_by_hash_and_compiled(calls, monkeypatch):
    run(monkeypatch, "run")
    assert synchronised(calls) == ["requirements-local.txt", "apps/stack/embedded/requirements.txt"]
    syncs = [call for call in calls if call[0] == "pip"]
    assert all("--require-hashes" in call and "--compile-bytecode" in call for call in syncs)


def test_the_second_time_nothing_is_installed(calls, monkeypatch):
    run(monkeypatch, "dev")
    monkeypatch.setattr(install, "make_environment", lambda _: None)
    calls.clear()
    run(monkeypatch, "dev")
    run(monkeypatch, "run")  # the larger set serves for running, too
    assert calls == []


def test_a_changed_pin_is_installed(calls, monkeypatch):
    run(monkeypatch, "dev")
    monkeypatch.setattr(install, "make_environment", lambda _: None)
    calls.clear()
    (install.ROOT / "requirements-dev.txt").write_text("package==2\n")
    run(monkeypatch, "run")
    assert synchronised(calls) == ["requirements-dev.txt"]


def test_an_interrupted_installation_starts_again(calls, monkeypatch):
    whole = install.call_uv

    def interrupted(*arguments):
        whole(*arguments)
        if arguments[0] == "pip":
            raise KeyboardInterrupt

    monkeypatch.setattr(install, "call_uv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, "dev")
    monkeypatch.setattr(install, "call_uv", whole)
    monkeypatch.setattr(install, "make_environment", lambda folder: folder.mkdir(exist_ok=True))
    calls.clear()
    run(monkeypatch, "dev")
    assert synchronised(calls) == ["requirements-dev.txt", "apps/stack/embedded/requirements.txt"]


@pytest.mark.parametrize(("version", "said"), [((3, 10), "too old"), ((3, 15), "newer than the pinned")])
def test_a_python_that_will_not_do_is_named(monkeypatch, version, said):
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    with pytest.raises(SystemExit, match=f"Python {version[0]}.{version[1]} is {said}"):
        install.check_python()


@pytest.mark.parametrize("module", ["install", "uv", "package_index"])
def test_an_old_python_gets_as_far_as_that_sentence(module):
    path = uv.ROOT / "apps" / "stack" / f"{module}.py"
    tree = ast.parse(path.read_text(), feature_version=(3, 7))
    names = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}
    outside = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert outside == ({"apps"} if module != "package_index" else set())
    assert "tomllib" not in names


def test_an_environment_that_works_stays_and_a_moved_one_is_replaced(calls):
    install.make_environment(Path(sys.prefix))
    assert calls == []
    moved = install.ROOT / "moved"
    (moved / "bin").mkdir(parents=True)
    (moved / "bin" / "python").symlink_to(sys.executable)
    with pytest.raises(FileExistsError):  # our uv of above makes what --clear would have emptied
        install.make_environment(moved)
    assert calls == [("venv", "--clear", "--no-project", "--python", sys.executable, str(moved))]


def test_a_command_that_fails_ends_it():
    with pytest.raises(SystemExit, match="exit code 5"):
        install.call([sys.executable, "-c", "raise SystemExit(5)"], {})


def test_uv_is_told_of_pips_index_and_nothing_of_this_python(monkeypatch):
    seen: dict[str, object] = {}
    monkeypatch.setattr(uv, "provide", lambda _: Path("/uv"))
    monkeypatch.setattr(
        install, "call", lambda command, environment: seen.update(environment, command=command)
    )
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.delenv("UV_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    install.call_uv("pip", "sync", "requirements.txt")
    assert seen["command"] == ["/uv", "--quiet", "pip", "sync", "requirements.txt"]
    assert seen["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert "PYTHONPATH" not in seen
