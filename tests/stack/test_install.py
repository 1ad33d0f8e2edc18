"""The pinned packages: installed once, said clearly where they cannot be."""

import sys

import pytest

from apps.stack import install


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """A checkout of its own, in a path with spaces; what would be run is only written down."""
    root = tmp_path / "a checkout"
    root.mkdir()
    made = []

    def call(command):
        made.append(" ".join(command))
        if "venv" in command:
            (root / command[-1]).mkdir(exist_ok=True)

    monkeypatch.setattr(install, "call", call)
    monkeypatch.setattr(install, "ROOT", root)
    monkeypatch.setattr(install, "VENV", root / ".venv")
    monkeypatch.setattr(install, "STACK", root / ".venv-stack")
    for name in (*install.SETS.values(), install.UV, "requirements-stack.txt"):
        (root / name).write_text("package==1\n")
    return made


def installed(monkeypatch, kind):
    monkeypatch.setattr(sys, "argv", ["install.py", kind])
    install.main()


def synchronised(calls):
    return [call.rpartition("/")[2] for call in calls if "pip sync" in call]


def test_everything_is_pinned_by_hash_and_compiled(calls, monkeypatch):
    installed(monkeypatch, "run")
    assert synchronised(calls) == ["requirements-local.txt", "requirements-stack.txt"]
    assert all("--require-hashes" in call for call in calls if "pip" in call and "-m venv" not in call)
    assert all("--compile-bytecode" in call for call in calls if "sync" in call)


def test_the_second_time_nothing_is_installed(calls, monkeypatch):
    installed(monkeypatch, "dev")
    monkeypatch.setattr(install, "make_environment", lambda *_, **__: None)
    calls.clear()
    installed(monkeypatch, "dev")
    installed(monkeypatch, "run")  # the larger set serves for running, too
    assert calls == []


def test_a_changed_pin_is_installed(calls, monkeypatch):
    installed(monkeypatch, "dev")
    monkeypatch.setattr(install, "make_environment", lambda *_, **__: None)
    calls.clear()
    (install.ROOT / "requirements-dev.txt").write_text("package==2\n")
    installed(monkeypatch, "run")
    assert synchronised(calls) == ["requirements-dev.txt"]


@pytest.mark.parametrize(("version", "said"), [((3, 10), "too old"), ((3, 15), "newer than the pinned")])
def test_a_python_that_will_not_do_is_named(monkeypatch, version, said):
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    with pytest.raises(SystemExit, match=f"Python {version[0]}.{version[1]} is {said}"):
        install.check_python()


def test_a_missing_venv_module_is_named(monkeypatch):
    monkeypatch.setattr(install, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=r"sudo apt install python3\.\d+-venv"):
        install.check_python()


def test_an_environment_that_works_stays_and_a_moved_one_is_made_anew(calls, monkeypatch, tmp_path):
    from pathlib import Path

    install.make_environment(Path(sys.prefix), pip=True)
    assert calls == []
    moved = install.ROOT / ".venv"
    (moved / "bin").mkdir(parents=True)
    (moved / "bin" / "python").symlink_to(sys.executable)
    install.make_environment(moved, pip=False)
    assert calls == [f"{sys.executable} -m venv --without-pip {moved}"]


def test_a_command_that_fails_ends_it(monkeypatch):
    with pytest.raises(SystemExit, match="exit code 5"):
        install.call([sys.executable, "-c", "raise SystemExit(5)"])
