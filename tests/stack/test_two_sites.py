"""``make run-two-sites``: of one folder once."""

import json

import pytest

from apps.stack import layout, two_sites
from tests import requirement


@requirement("F1")
def test_a_second_one_in_the_same_folder_ends_no_part_of_the_first(tmp_path, monkeypatch, capsys):
    def ended(_path):
        pytest.fail("the parts of the first were ended")

    monkeypatch.setattr(two_sites, "end_leftovers", ended)
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path))
    (tmp_path / "children.json").write_text(json.dumps([]))
    with layout.lock(tmp_path):
        assert two_sites.main() == 2
    assert "uses" in capsys.readouterr().err
    assert (tmp_path / "children.json").exists()
