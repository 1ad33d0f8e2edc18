"""The page of every change and read with its audit event, made from the code; a test holds it against the code.

A change goes through ``transaction``, which refuses to commit without an entry; so what opens one is listed with the
events that it names, itself or in what it calls of its own module. What writes otherwise (a row directly, an object, a
user) has to name an event likewise, or a reason in ``UNRECORDED`` of its app's ``trail.py``.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from apps.audit.records import Event
from apps.common.declarations import members, modules_named
from apps.common.environment import BASE_DIR

APPS = BASE_DIR / "apps"
NOT_THE_PRODUCT = ("stack", "console")  # the embedded AWS, and the console's frame
RECORDING = frozenset(["transaction", "record"])
ROW_WRITES = frozenset(["save", "update", "delete"])
OBJECT_WRITES = frozenset(
    [
        *("put_object", "delete_object", "delete_objects", "copy_object", "upload_fileobj", "restore_object"),
        *(
            "create_multipart_upload",
            "complete_multipart_upload",
            "abort_multipart_upload",
            "upload_part_copy",
        ),
    ]
)
OBJECT_HELPERS = frozenset(["remove", "remove_others", "remove_all", "copy", "copy_to"])  # of files.bodies
USER_WRITES = frozenset(["set_password", "create_user", "get_or_create", "bulk_create"])


@dataclass(slots=True)
class Function:
    """A function of the product that writes or records."""

    name: str  # module and function
    opens: bool = False  # a transaction, or records a read
    takes: bool = False  # a transaction of its caller's
    writes: set[str] = field(default_factory=set)  # what it calls outside of a transaction
    events: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)  # of the same module


def functions() -> dict[str, Function]:
    """Return every function of the product that writes or records, by module and name."""
    found: dict[str, Function] = {}
    for path in sorted(APPS.rglob("*.py")):
        place = path.relative_to(BASE_DIR).with_suffix("").parts
        if place[1] not in NOT_THE_PRODUCT and "migrations" not in place:
            found |= _in_module(".".join(place), ast.parse(path.read_text(encoding="utf-8")))
    return {name: one for name, one in found.items() if one.opens or one.takes or one.writes}


def reasons() -> dict[str, str]:
    """Return why some functions write without an entry, as their apps say."""
    told: dict[str, str] = {}
    for module in modules_named("trail"):
        told |= getattr(module, "UNRECORDED", {})
    return told


def unrecorded() -> list[str]:
    """Return the functions that write, name no event, and have no reason."""
    told = reasons()
    return [
        f"{one.name}: {', '.join(sorted(one.writes))}"
        for one in functions().values()
        if one.writes and not one.events and not one.takes and one.name not in told
    ]


def _in_module(module: str, tree: ast.Module) -> dict[str, Function]:
    values = {name: event.value for name, event in _events_by_name().items()}
    made: dict[str, Function] = {}
    for node, name in _functions_of(tree):
        one = Function(f"{module}.{name}")
        one.takes = any(_is_transaction(argument.annotation) for argument in node.args.args)
        for inner in ast.walk(node):
            _note(one, inner, values)
        made[one.name] = one
    for one in made.values():
        _add_callees(one, made, module, set())
    return made


def _functions_of(tree: ast.AST, prefix: str = "") -> Iterator[tuple[ast.FunctionDef, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _functions_of(node, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield node, prefix + node.name


def _is_transaction(annotation: ast.expr | None) -> bool:
    return annotation is not None and ast.unparse(annotation).endswith("Transaction")


def _note(one: Function, node: ast.AST, values: Mapping[str, str]) -> None:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        event = values.get(f"{node.value.id}.{node.attr}")
        if event:
            one.events.add(event)
    if isinstance(node, ast.Name | ast.Attribute):
        one.calls.add(node.id if isinstance(node, ast.Name) else node.attr)
    if not isinstance(node, ast.Call):
        return
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called in RECORDING and isinstance(node.func, ast.Name):
        one.opens = True
    elif called in OBJECT_WRITES | USER_WRITES or (called in ROW_WRITES and _is_row(node)):
        one.writes.add(called)
    elif called in OBJECT_HELPERS and isinstance(node.func, ast.Attribute):
        owner = ast.unparse(node.func.value)
        if owner in {"objects", "copying", "orphans"}:
            one.writes.add(f"{owner}.{called}")


def _is_row(call: ast.Call) -> bool:
    """Return whether a call of save, update or delete is one of a row's or a user's, not of a set's or a hash's."""
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = ast.unparse(call.func.value)
    if owner in {"tx", "write"} or owner.endswith(("digest", "hasher", "mac")):
        return False
    if call.func.attr == "update":
        return any(word.arg == "condition" for word in call.keywords) or isinstance(
            next(iter(call.args), None), ast.List
        )
    return not call.args or any(word.arg in {"condition", "update_fields"} for word in call.keywords)


def _add_callees(one: Function, made: Mapping[str, Function], module: str, seen: set[str]) -> None:
    seen.add(one.name)
    for called in one.calls:
        callee = made.get(f"{module}.{called}")
        if callee is not None and callee.name not in seen:
            _add_callees(callee, made, module, seen)
            one.events |= callee.events


def _events_by_name() -> dict[str, Event]:
    found = members(Event, modules_named("trail"))
    return {f"{type(event).__name__}.{event.name}": event for event in found.values()}


def unused_events() -> list[str]:
    """Return the events that no function names."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted(APPS.rglob("*.py")) if path.name != "trail.py"
    )
    return [event.value for name, event in _events_by_name().items() if name not in text]


def page() -> str:
    """Write the page."""
    rows = [one for one in functions().values() if one.opens]
    told = reasons()
    lead = (
        "Every function that changes something or reads what is secret, with the audit events that it leaves; and those"
        " that write without an entry, with the reason. Made from the code by `manage.py pages`; a test compares, and"
        " demands an event or a reason of every function that writes."
    )
    lines = [
        *(
            "# What is recorded",
            "",
            lead,
            "",
            "## With an entry",
            "",
            "| Function | Events |",
            "| --- | --- |",
        ),
        *(f"| `{one.name.removeprefix('apps.')}` | {_quoted(one.events)} |" for one in rows),
        *("", "## Without an entry", "", "| Function | Reason |", "| --- | --- |"),
        *(f"| `{name.removeprefix('apps.')}` | {told[name]} |" for name in sorted(told)),
    ]
    return "\n".join(lines) + "\n"


def _quoted(events: set[str]) -> str:
    if not events:
        return "that of the transition, or what its caller names"
    return ", ".join(f"`{event}`" for event in sorted(events))
