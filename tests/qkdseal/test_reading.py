"""One strict reader of packages: what two readers could understand differently is refused."""

import json

import pytest

from qkdseal import JsonInvalid, PackageInvalid, read_json, read_package
from qkdseal.encoding import to_json
from qkdseal.package import Package
from qkdseal.pqfile import PqfilePackage
from tests import requirement
from tests.qkdseal import reference

REFUSED = {
    "a repeated name": ('{"a": 1, "a": 2}', 'repeats the name "a"'),
    "a repeated name inside": ('[{"b": {"a": 1, "b": 1, "a": 1}}]', 'repeats the name "a"'),
    "not a number": ('{"a": NaN}', "NaN"),
    "infinite": ('{"a": -Infinity}', "-Infinity"),
    "too large a number": ('{"a": 1e999}', "no JSON"),
    "half of a pair": (r'{"a": "\ud800"}', "half of a surrogate pair"),
    "half of a pair as a name": (r'{"\udc00": 1}', "half of a surrogate pair"),
    "no end": ("[" * 100_000, "nested too deeply"),
    "no JSON": ("{'a': 1}", "no JSON"),
    "more than one": ("{} {}", "no JSON"),
    "a byte order mark": ("\ufeff{}", "no JSON"),
}


def text_of(name: str) -> str:
    return to_json(json.loads((reference.VECTORS / f"{name}.json").read_text())["vectors"][0]["package"])


@requirement("C9")
@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_what_two_readers_could_understand_differently_is_refused(text: str, why: str) -> None:
    with pytest.raises(JsonInvalid, match=why):
        read_json(text)
    with pytest.raises(PackageInvalid):
        read_package(text)


@requirement("C2")
def test_everything_else_is_read_as_python_reads_it() -> None:
    text = r'{"a": [1, -2.5, true, null, "\ud83d\ude00"], "b": {}, "": ""}'
    assert read_json(text) == json.loads(text)


@requirement("C2")
@pytest.mark.parametrize(("name", "kind"), [("envelope", Package), ("pqfile", PqfilePackage)])
def test_one_function_reads_both_suites_as_text_and_as_an_object(name: str, kind: type) -> None:
    text = text_of(name)
    package = read_package(text)
    assert isinstance(package, kind)
    assert read_package(json.loads(text)) == package
    assert to_json(package.to_dict()) == text


@requirement("C9")
@pytest.mark.parametrize("document", [None, [], "", "[]", 7, {}, {"header": 1}, "\u00e9"])
def test_what_is_no_package_gives_the_one_error(document: object) -> None:
    with pytest.raises(PackageInvalid):
        read_package(document)
