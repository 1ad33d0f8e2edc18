"""The root key in a file: what is refused, and who wins a race for the file."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.common.root_keys import local
from apps.common.root_keys.interface import RootKeyUnavailable, UnwrapFailed
from apps.common.root_keys.local import LocalRootKey
from tests import requirement
from tests.common.root_keys import CONTEXT


@requirement("C10")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_a_blob_is_found(tmp_path: Path, data: st.DataObject) -> None:
    root = LocalRootKey(tmp_path / "root.key")
    blob = changed(root.wrap(b"secret", context=CONTEXT), data)
    with pytest.raises(UnwrapFailed):
        root.unwrap(blob, context=CONTEXT)


def changed(blob: bytes, data: st.DataObject) -> bytes:
    kind = data.draw(st.sampled_from(["flip", "cut", "extend"]))
    if kind == "cut":
        return blob[: data.draw(st.integers(0, len(blob) - 1))]
    if kind == "extend":
        return blob + data.draw(st.binary(min_size=1, max_size=20))
    position = data.draw(st.integers(0, len(blob) - 1))
    return (
        blob[:position] + bytes([blob[position] ^ 1 << data.draw(st.integers(0, 7))]) + blob[position + 1 :]
    )


@requirement("C10")
def test_the_key_file_is_private_and_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "made" / "root.key"
    blob = LocalRootKey(path).wrap(b"secret", context=CONTEXT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["root.key"]
    assert LocalRootKey(path).unwrap(blob, context=CONTEXT) == b"secret"


@requirement("C10")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "root.key"
    LocalRootKey(path)
    path.chmod(mode)
    with pytest.raises(RootKeyUnavailable, match="chmod 600"):
        LocalRootKey(path)


@requirement("C10")
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:0],
        lambda text: text[:-5],
        lambda text: text.replace("v1", "v2"),
        lambda text: text[:16] + ("1" if text[16] == "0" else "0") + text[17:],
        lambda text: text.replace("=", "!"),
    ],
)
def test_a_damaged_key_file_is_refused_and_not_replaced(tmp_path: Path, damage: Callable[[str], str]) -> None:
    path = tmp_path / "root.key"
    LocalRootKey(path)
    path.write_text(damage(path.read_text()))
    before = path.read_bytes()
    with pytest.raises(RootKeyUnavailable, match="damaged"):
        LocalRootKey(path)
    assert path.read_bytes() == before


@requirement("C10")
def test_links_directories_and_foreign_files_are_no_key_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LocalRootKey(tmp_path / "root.key")
    (tmp_path / "link").symlink_to(tmp_path / "root.key")
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (
        (tmp_path / "link", "opened"),
        (tmp_path, "plain file"),
        (tmp_path / "pipe", "plain file"),
    ):
        with pytest.raises(RootKeyUnavailable, match=reason):
            LocalRootKey(path)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(RootKeyUnavailable, match="another user"):
        LocalRootKey(tmp_path / "root.key")


@requirement("C10")
def test_the_loser_of_a_race_takes_the_winners_key(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    winner = LocalRootKey(path)
    local._create(path)  # as a process does that saw no file a moment ago
    assert LocalRootKey(path).id == winner.id
    assert [entry.name for entry in tmp_path.iterdir()] == ["root.key"]


def ids_of(paths: list[str]) -> list[str]:
    return [LocalRootKey(path).id for path in paths]


@requirement("C10")
def test_processes_that_race_for_the_file_end_with_one_key(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"root-{number}.key") for number in range(60)]
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        first, *others = pool.map(ids_of, [paths] * 3)
    assert others == [first, first]
    assert len(set(first)) == len(paths)


@requirement("I2")
def test_repr_and_errors_show_no_key(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    root = LocalRootKey(path)
    encoded = path.read_text().split()[2]
    with pytest.raises(UnwrapFailed) as raised:
        root.unwrap(root.wrap(b"secret", context=CONTEXT), context={"record": "x"})
    assert encoded not in repr(root) + repr(raised.value)
    assert raised.value.__cause__ is None
    assert root.id.startswith("local:")


@requirement("C10")
def test_a_blob_of_another_local_key_is_refused(tmp_path: Path) -> None:
    blob = LocalRootKey(tmp_path / "a").wrap(b"secret", context=CONTEXT)
    with pytest.raises(UnwrapFailed, match="another local root key"):
        LocalRootKey(tmp_path / "b").unwrap(blob, context=CONTEXT)
