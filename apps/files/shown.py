"""What a client is shown of a file, whichever record it is."""

from dataclasses import MISSING, Field, fields
from typing import Any, get_type_hints

from apps.files.records import Document, File, Upload, Version
from apps.files.traits import SHOWN, fields_with

_RECORDS = (Document, Version, Upload)


def _shown_fields() -> dict[str, Any]:
    """The type of each field that some record shows."""
    found: dict[str, Any] = {}
    for record in _RECORDS:
        hints = get_type_hints(record)
        found |= {name: found.get(name) or hints[name] for name in fields_with(record, SHOWN)}
    return found


def _defaults() -> dict[str, Any]:
    """What is shown of a field that a record does not have."""
    every = [field for record in _RECORDS for field in fields(record)]
    return {field.name: _default(field) for field in every}


def _default(field: "Field[Any]") -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default is MISSING else field.default


SHOWN_FIELDS = _shown_fields()
_DEFAULTS = _defaults()


def with_defaults(file: File) -> dict[str, Any]:
    """A file's fields, and those of the other records with their defaults."""
    return {name: getattr(file, name, default) for name, default in _DEFAULTS.items()}


def as_shown(file: File) -> dict[str, Any]:
    """A file's fields that are shown to the client; what this record does not have is its default."""
    every = with_defaults(file)
    return {name: every[name] for name in SHOWN_FIELDS} | {"has_passphrase": file.has_passphrase}
