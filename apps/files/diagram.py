"""The page on files: their states, and what happens to each field of their records."""

from typing import Any

from apps.files.records import Document, Orphan, Upload, Version
from apps.files.states import BEGINNINGS, STATES, TRANSITIONS, FileStatus, Transition
from apps.files.traits import Trait, traits_of

_HEAD = """# Files

Made from `apps/files/states.py` and `apps/files/records.py` by `manage.py pages`; a test compares.

Documents, earlier versions, uploads and orphaned bodies are records of their own in one table. Every transition that
is not drawn here is refused. An upload's id becomes its document's at the first commit; the upload of a later version
has an id of its own (`<document>.<random>`) and ends as `applied`.
"""
_FIELDS = """## Fields

What happens to a field is said on the field. Shredding, new versions, re-encryption and the API follow it, and a test
demands it of every field.
"""
_RECORDS = {"Document": Document, "Version": Version, "Upload": Upload, "Orphan": Orphan}
_TRAITS = (Trait.SURVIVES, Trait.RENEWED, Trait.COPIED, Trait.SHOWN)


def mermaid(record: str) -> str:
    """The diagram of one record as Mermaid text; what becomes another record ends here and begins there."""
    own = STATES[record]
    lines = ["stateDiagram-v2", *(f"    [*] --> {state}: {name}" for state, name in BEGINNINGS[record])]
    # Documents and versions both end as shredded: there only the arrows from their own states count
    lines += [
        _arrow(one, own)
        for one in TRANSITIONS
        if one.source in own or (one.target in own and one.target is not FileStatus.SHREDDED)
    ]
    lines += [f"    {state} --> [*]" for state in own if state not in {one.source for one in TRANSITIONS}]
    return "\n".join(lines)


def _arrow(one: Transition, own: tuple[FileStatus, ...]) -> str:
    source = one.source if one.source in own else "[*]"
    target = one.target if one.target in own else "[*]"
    return f"    {source} --> {target}: {one.name}"


def table(record: Any) -> str:
    """Each field of a record and what happens to it."""
    told = traits_of(record)
    rows = [
        f"| `{name}` | " + " | ".join("yes" if trait in said else "" for trait in _TRAITS) + " |"
        for name, said in told.items()
    ]
    heads = " | ".join(trait.value for trait in _TRAITS)
    return "\n".join([f"| field | {heads} |", "|---|---|---|---|---|", *rows])


def page() -> str:
    """The page of the documentation."""
    states = [f"## States of {record}s\n\n```mermaid\n{mermaid(record)}\n```\n" for record in STATES]
    fields = [f"### {name}\n\n{table(record)}\n" for name, record in _RECORDS.items()]
    return "\n".join([_HEAD, *states, _FIELDS, *fields])
