"""The rooms of the app stand in layers, as its docstring tells."""

import ast
from pathlib import Path

APP = Path("apps/files")
LAYERS = ({"api"}, {"life", "keys"}, {"uploads", "reading"}, {"bodies"}, {"floor"})
EDGES = {"admin", "models", "events", "tasks", "schedules", "urls", "migrations"}  # know every room


def room_of(module: str) -> str:
    """The room that a module of the app lies in."""
    name = module.removeprefix("apps.files.").split(".")[0]
    return name if (APP / name).is_dir() or name in EDGES else "floor"


def arrows() -> set[tuple[str, str, str]]:
    """Which module imports from which room: (importer, its room, the other)."""
    found = set()
    for path in APP.rglob("*.py"):
        module = ".".join(path.with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("apps.files"):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = names if node.module == "apps.files" else [str(node.module)]
                found |= {(module, room_of(module), room_of(target)) for target in targets}
    return found


def height(room: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if room in layer)


def test_every_room_has_its_layer():
    rooms = {path.name for path in APP.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms - EDGES == set().union(*LAYERS) - {"floor"}


def test_no_room_imports_from_above_or_beside_it():
    wrong = {
        (module, target)
        for module, room, target in arrows()
        if room not in EDGES and room != target and (target in EDGES or height(target) <= height(room))
    }
    assert wrong == set()
