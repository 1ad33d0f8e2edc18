"""Names of others: shown without effect, and never a path that somebody else chose."""

import doctest
import importlib
import os
import pkgutil

import pytest

import qkdclient
from qkdclient.names import own_name, own_path, shown
from tests import requirement

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(qkdclient.__path__, "qkdclient.")
    if "__main__" not in module.name
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@requirement("C8")
@pytest.mark.parametrize(
    "code", [0, 7, 0x1B, 0x7F, 0x85, 0x9B, 0x200B, 0x202E, 0x2028, 0x2066, 0xFEFF, 0xDCE9]
)
def test_what_a_terminal_would_obey_or_hide_is_shown_escaped(code):
    text = shown(f"a{chr(code)}b")
    assert text.isprintable()
    assert text.isascii()


@requirement("C8")
def test_other_text_is_shown_as_it_is():
    assert shown("Übergröße 日本語 a b") == "Übergröße 日本語 a b"


@requirement("C8")
@pytest.mark.parametrize(
    ("given", "own"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("..", "f-1"),
        ("", "f-1"),
        ("a\x1b[2Jb", "a_[2Jb"),
        ("n" * 300 + ".tar", "n" * 251 + ".tar"),
        ("é" * 200 + ".pdf", "é" * 125 + ".pdf"),
    ],
)
def test_a_name_that_a_server_gave_is_one_name_in_one_folder(given, own):
    assert own_name(given, otherwise="f-1") == own
    assert len(os.fsencode(own)) <= 255


@requirement("C8")
@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("2024/report.pdf", "2024/report.pdf"),
        ("/etc/passwd", "etc/passwd"),
        ("a/../../b", "a/b"),
        ("..", "."),
    ],
)
def test_a_path_that_a_server_gave_stays_below_one_folder(given, path):
    assert str(own_path(given)) == path
