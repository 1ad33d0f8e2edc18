"""README, CONTRIBUTING and SECURITY name what exists: files, links, and targets of make."""

import re

import pytest
from django.conf import settings

from tests import requirement

ROOT = settings.BASE_DIR
GUIDES = (
    *("README.md", "CONTRIBUTING.md", "SECURITY.md"),
    *("docs/deployment.md", "docs/operations.md", "docs/mapping.md", "docs/cost.md"),
)
PATH = re.compile(r"`((?:apps|benchmarks|docs|qkd|qkdclient|qkdplatform|qkdseal|tests)/[\w./-]*)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
TARGET = re.compile(r"make ([a-z0-9-]+)\b")


def found(pattern, guide):
    return set(pattern.findall((ROOT / guide).read_text(encoding="utf-8")))


@requirement("H2")
@pytest.mark.parametrize("guide", GUIDES)
def test_every_file_that_a_guide_names_is_there(guide):
    folder = (ROOT / guide).parent
    missing = [name for name in found(PATH, guide) if not (ROOT / name).exists()]
    missing += [name for name in found(LINK, guide) if not (folder / name).exists()]
    assert missing == []


@requirement("H2")
@pytest.mark.parametrize("guide", GUIDES)
def test_every_target_that_a_guide_names_is_one_of_make(guide):
    lines = re.findall(r"^([a-z0-9 -]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    targets = {name for line in lines for name in line.split()}
    named = {name for code in found(re.compile(r"`(make [^`]+)`"), guide) for name in TARGET.findall(code)}
    assert named <= targets
    assert named or not guide.endswith(("README.md", "deployment.md"))
