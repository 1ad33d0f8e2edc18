"""uv out of a wheel: the one that the lock names for this system, and no other."""

import hashlib
import io
import subprocess
import zipfile
from http.client import IncompleteRead

import pytest

from apps.stack import package_index, uv

SYSTEMS = {
    ("linux", "glibc", "x86_64"): "manylinux_2_17_x86_64.manylinux2014_x86_64",
    ("linux", "glibc", "aarch64"): "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
    ("linux", "", "x86_64"): "musllinux_1_1_x86_64",
    ("linux", "", "aarch64"): "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
    ("darwin", "", "x86_64"): "macosx_10_12_x86_64",
    ("darwin", "", "arm64"): "macosx_11_0_arm64",
}


def packed(script="#!/bin/sh\necho uv 1\n"):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("uv-1.data/scripts/uvx", "the wrong one")
        archive.writestr("uv-1.data/scripts/uv", script)
    return content.getvalue()


def lock(content, tag=SYSTEMS["linux", "glibc", "x86_64"]):
    digest = hashlib.sha256(content).hexdigest()
    file = f'{{ url = "https://files.example/uv-1-py3-none-{tag}.whl", hash = "sha256:{digest}" }}'
    return f'[[package]]\nname = "other"\n[[package]]\nname = "uv"\nwheels = [{file}]\n'


def on(monkeypatch, system, libc, machine):
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.libc_ver", lambda: (libc, ""))
    monkeypatch.setattr("platform.machine", lambda: machine)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout whose lock names one wheel, which the index has."""
    on(monkeypatch, "linux", "glibc", "x86_64")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://who:secret@index.example/simple")
    serve(monkeypatch, packed)
    (tmp_path / "uv.lock").write_text(lock(packed()))
    return tmp_path


def serve(monkeypatch, answer):
    monkeypatch.setattr(package_index, "fetch", lambda *_: answer())


@pytest.mark.parametrize(("system", "tag"), SYSTEMS.items())
def test_our_lock_has_a_wheel_for_each_system(monkeypatch, system, tag):
    on(monkeypatch, *system)
    wheel = uv.locked_wheel((uv.ROOT / "uv.lock").read_text(), uv.platform_tag())
    assert wheel.name.endswith(f"-py3-none-{tag}.whl")
    assert len(bytes.fromhex(wheel.sha256)) == 32


def test_another_system_is_named(monkeypatch):
    on(monkeypatch, "linux", "glibc", "mips")
    with pytest.raises(SystemExit, match=r"no wheel of uv for this system \(linux, mips\)"):
        uv.locked_wheel(lock(packed()), uv.platform_tag())


def test_the_program_runs_and_is_fetched_once(checkout, monkeypatch):
    program = uv.provide(checkout)
    assert subprocess.check_output([program], text=True) == "uv 1\n"
    serve(monkeypatch, lambda: pytest.fail("it was fetched again"))
    assert uv.provide(checkout) == program


def test_another_pin_is_fetched(checkout, monkeypatch):
    uv.provide(checkout)
    newer = packed("#!/bin/sh\necho uv 2\n")
    (checkout / "uv.lock").write_text(lock(newer))
    serve(monkeypatch, lambda: newer)
    assert subprocess.check_output([uv.provide(checkout)], text=True) == "uv 2\n"


def test_another_digest_is_refused_and_leaves_nothing(checkout, monkeypatch):
    serve(monkeypatch, lambda: packed("#!/bin/sh\nrm -rf\n"))
    with pytest.raises(SystemExit, match="is refused: its SHA-256 is") as refused:
        uv.provide(checkout)
    assert "secret" not in str(refused.value)
    assert list(checkout.iterdir()) == [checkout / "uv.lock"]


@pytest.mark.parametrize("error", [OSError("no route"), IncompleteRead(b""), LookupError("no file")])
def test_an_index_that_fails_is_named_without_its_password(checkout, monkeypatch, error):
    def fail():
        raise error

    serve(monkeypatch, fail)
    with pytest.raises(
        SystemExit, match=r"could not be fetched from https://index\.example/simple"
    ) as failed:
        uv.provide(checkout)
    assert "secret" not in str(failed.value)
    assert "UV_DEFAULT_INDEX" in str(failed.value)
