"""Fixtures of custody."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.common.root_keys import configured
from tests.custody.people import ALICE, BOB, admit
from tests.custody.processes import process_starts


@pytest.fixture
def own_root(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """A root key file of this test."""
    settings.ROOT_KEY = f"local:{tmp_path / 'root.key'}"
    process_starts()
    yield tmp_path / "root.key"
    configured.root_key.cache_clear()


@pytest.fixture
def four_eyes(aws: None) -> None:
    """Alice and Bob, admitted as persons who may ask and approve."""
    admit(ALICE)
    admit(BOB)
