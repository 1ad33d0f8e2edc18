"""The package format as a library of its own: its names, its examples, its arguments, what it imports."""

import dataclasses
import doctest
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import qkdseal
from tests import requirement

MODULES = [
    importlib.import_module(f"qkdseal.{module.name}") for module in pkgutil.iter_modules(qkdseal.__path__)
]
CALLABLES: dict[str, Callable[..., Any]] = {
    name: getattr(qkdseal, name)
    for name in qkdseal.__all__
    if inspect.isfunction(getattr(qkdseal, name)) or dataclasses.is_dataclass(getattr(qkdseal, name))
}
CLASSES_WITHOUT_EXAMPLE = {
    "BodySize",
    "BodyFormat",
    "JsonInvalid",
    "OpenFailed",
    "PackageInvalid",
    "PackageSuite",
    "Sink",
    "Source",
}
# Their order was promised: the key's length tells it from the context, and the data come last.
POSITIONAL = {"seal_bytes", "open_bytes"}
FOREIGN = {
    "django",
    "rest_framework",
    "boto3",
    "botocore",
    "numpy",
    "urllib3",
    "puremagic",
    "apps",
    "qkd",
    "qkdplatform",
}

URLLIB3S_OPTIONAL = {"brotli", "brotlicffi", "_brotli", "zstandard", "socks", "h2"}
CRYPTOGRAPHYS_OWN = {"_cffi_backend", "_openssl"}


@pytest.mark.parametrize("module", [qkdseal, *MODULES], ids=lambda module: module.__name__)
def test_the_examples_are_true(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", sorted(set(qkdseal.__all__) - CLASSES_WITHOUT_EXAMPLE))
def test_every_public_function_and_class_shows_an_example(name: str) -> None:
    value = getattr(qkdseal, name)
    if inspect.isfunction(value) or inspect.isclass(value):
        assert ">>>" in (value.__doc__ or "")


def test_every_public_name_is_there_and_sorted() -> None:
    assert len(set(qkdseal.__all__)) == len(qkdseal.__all__)
    assert all(hasattr(qkdseal, name) for name in qkdseal.__all__)


@pytest.mark.parametrize("name", sorted(set(CALLABLES) - POSITIONAL))
def test_arguments_that_could_be_swapped_are_keyword_only(name: str) -> None:
    parameters = inspect.signature(CALLABLES[name]).parameters.values()
    by_place = Counter(
        str(parameter.annotation) for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY
    )
    assert all(count == 1 for count in by_place.values()), by_place


def loaded_by(statement: str) -> set[str]:
    """The top packages that a fresh interpreter has after a statement."""
    code = (
        f"import json, sys\n{statement}\nprint(json.dumps(sorted({{n.split('.')[0] for n in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


@requirement("C2")
def test_it_imports_cryptography_and_the_standard_library_alone() -> None:
    loaded = loaded_by("import qkdseal") - loaded_by("")
    assert not loaded & FOREIGN
    assert loaded - set(sys.stdlib_module_names) == {"qkdseal", "cryptography", *CRYPTOGRAPHYS_OWN}


def test_the_client_imports_the_format_http_and_a_parser_alone() -> None:
    loaded = loaded_by("import qkdclient, qkdclient.cli.main") - loaded_by("")
    assert not loaded & (FOREIGN - {"urllib3"})
    third_party = loaded - set(sys.stdlib_module_names) - CRYPTOGRAPHYS_OWN
    wanted = {"qkdclient", "qkdseal", "cryptography", "urllib3", "click"}
    assert wanted <= third_party
    assert third_party - wanted <= URLLIB3S_OPTIONAL


def test_a_foreign_import_would_be_seen() -> None:
    assert "numpy" in loaded_by("import qkdseal, numpy") & FOREIGN
