"""No module of ours imports itself by way of others: a floor can be read, moved or replaced without what stands on it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Imports = dict[str, set[str]]


def modules(root: Path) -> dict[str, Path]:
    """Name and file of every module of every package."""
    packages = (path.parent for path in root.glob("[!.]*/__init__.py"))
    files = (path for package in packages for path in package.rglob("*.py"))
    return {module_name(path.relative_to(root)): path for path in files}


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(module: str, path: Path, known: set[str]) -> set[str]:
    """Modules of ours that one imports, inside functions and for type checkers too.

    A name taken from a package may be a module of it.
    """
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        if not isinstance(statement, ast.ImportFrom):
            continue
        above = package.split(".")[: len(package.split(".")) - statement.level + 1] if statement.level else []
        base = ".".join([*above, *filter(None, [statement.module])])
        for alias in statement.names:
            full = f"{base}.{alias.name}"
            found.add(full if full in known else base)
    return (found & known) - {module}


def import_graph(root: Path) -> Imports:
    files = modules(root)
    return {name: imports_of(name, path, set(files)) for name, path in files.items()}


def circles(graph: Imports) -> list[list[str]]:
    """Strongly connected components of more than one module (Tarjan, SIAM J. Comput. 1 (1972))."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            place = stack.index(module)
            component = stack[place:]
            del stack[place:]
            if len(component) > 1:
                found.append(sorted(component))

    for module in sorted(graph):
        if module not in order:
            visit(module)
    return found


def test_no_module_imports_itself_by_way_of_others():
    graph = import_graph(ROOT)
    assert "qkd.attacks.model" in graph["qkd.attacks.notation"], "the graph is that of our modules"
    assert circles(graph) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("from qkd import b\n", "from qkd.a import x\n"),
        ("import qkd.b\n", "def f():\n    from . import a\n"),
        ("from .b import y\n", "try:\n    import qkd.a\nexcept ImportError:\n    pass\n"),
        ("from qkd import b\n", "if TYPE_CHECKING:\n    from qkd.a import x\n"),
    ],
)
def test_a_circle_is_found_however_it_is_written(tmp_path, first, second):
    package = tmp_path / "qkd"
    package.mkdir()
    for name, text in (("__init__", ""), ("a", first), ("b", second), ("c", "import qkd.a\n")):
        (package / f"{name}.py").write_text(text)
    assert circles(import_graph(tmp_path)) == [["qkd.a", "qkd.b"]]
