"""The folder ``.local``: its version, its lock, its secrets."""

import json

import pytest

from apps.stack import layout
from tests import requirement


def mode(path):
    return path.stat().st_mode & 0o777


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "local folder"
    layout.make(made)
    return made


def test_it_is_for_its_owner_only(folder):
    assert mode(folder) == mode(folder / "logs") == 0o700


def test_a_new_folder_gets_our_version_and_an_old_one_of_ours_is_used(folder):
    layout.check_version(folder)
    (folder / "data").touch()
    layout.check_version(folder)
    assert (folder / "version").read_text().strip() == layout.VERSION


def test_a_folder_of_another_version_is_refused_with_a_way_out(folder):
    (folder / "version").write_text("999\n")
    with pytest.raises(layout.Unusable, match=r"version '999'.*LOCAL_DIR=.* mv "):
        layout.check_version(folder)


def test_data_of_an_unknown_version_is_not_touched(folder):
    (folder / "console.sqlite3").touch()
    with pytest.raises(layout.Unusable, match="unknown version"):
        layout.check_version(folder)
    assert not (folder / "version").exists()


def test_a_start_killed_before_the_version_was_written_can_be_repeated(folder):
    (folder / "version.123.tmp").touch()
    layout.lock(folder).close()
    layout.check_version(folder)


def test_something_else_of_that_name_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(layout.Unusable, match="LOCAL_DIR"):
        layout.make(tmp_path / "file")


def test_only_one_run_holds_it(folder):
    with layout.lock(folder), pytest.raises(layout.Unusable, match=r"Another `make run` \(process \d+\)"):
        layout.lock(folder)
    layout.lock(folder).close()


@requirement("D3")
def test_secrets_are_made_once_and_kept_private(folder):
    made = layout.own_secrets(folder)
    assert mode(folder / "secrets.json") == 0o600
    assert made == layout.own_secrets(folder)
    assert set(made) == set(layout.SECRETS)
    assert len(set(made.values())) == len(made)
    assert all(len(value) >= 43 for value in made.values())  # 32 bytes in base64


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"AUDIT_KEY": "only one"})])
def test_damaged_secrets_are_not_replaced(folder, text):
    (folder / "secrets.json").write_text(text)
    with pytest.raises(layout.Unusable, match="damaged"):
        layout.own_secrets(folder)
    assert (folder / "secrets.json").read_text() == text


@requirement("C10")
@pytest.mark.parametrize("name", ["root.key", "secrets.json"])
def test_data_without_its_keys_is_not_covered_with_new_ones(folder, name):
    for each in ("root.key", "secrets.json", "console.sqlite3"):
        (folder / each).touch()
    layout.check_keys(folder)
    (folder / name).unlink()
    with pytest.raises(layout.Unusable, match=f"{name} is missing.*Restore it"):
        layout.check_keys(folder)
