"""Passphrases are counted as people count letters, however their keyboard sends them."""

import unicodedata
from typing import Literal

import pytest

from tests import requirement

WORD = "éèüö"


@requirement("C4", "I8")
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(("letters", "status"), [(WORD, 400), (WORD * 2, 200)], ids=["four", "eight"])
def test_letters_are_counted_in_composed_form(
    api, stock, form: Literal["NFC", "NFD"], letters: str, status: int
):
    typed = unicodedata.normalize(form, letters)
    answer = api.post("encrypt", {"plaintext": "x", "passphrase": typed})
    assert answer.status_code == status, answer.content


@requirement("C4")
def test_a_passphrase_typed_on_another_keyboard_opens(api, stock):
    sealed = api.post("encrypt", {"plaintext": "x", "passphrase": unicodedata.normalize("NFD", WORD * 2)})
    opened = api.post("decrypt", sealed.json() | {"passphrase": unicodedata.normalize("NFC", WORD * 2)})
    assert opened.json()["plaintext"] == "x"
