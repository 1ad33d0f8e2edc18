"""One strict reader for packages of either suite."""

from qkdseal.encoding import json_object
from qkdseal.errors import PackageInvalid
from qkdseal.package import TEXT_LIMIT, Package
from qkdseal.pqfile import PqfilePackage


def read_package(document: object) -> Package | PqfilePackage:
    """Read a message's package, given as text or as an object that ``read_json`` read.

    >>> read_package('{"envelope": {}, "envelope": {}}')
    Traceback (most recent call last):
    qkdseal.errors.PackageInvalid: The package is damaged, or does not belong to this key and context.

    Raises:
        PackageInvalid: it is no package, in its one spelling.
    """
    if isinstance(document, str):
        if not document.isascii():
            raise PackageInvalid
        document = json_object(document, limit=TEXT_LIMIT)
    if isinstance(document, dict) and "header" in document:
        return PqfilePackage.from_dict(document)
    return Package.from_dict(document)
