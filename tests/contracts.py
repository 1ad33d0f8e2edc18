"""The import contracts: where a module stands follows from its name, so that no list is kept by hand.

``lint-imports`` checks each rule as a contract (see pyproject.toml); tests/platform/test_contracts.py plants an
import against each and shows it caught.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

EDGES = frozenset(
    [
        "admin",
        "api",
        "apps",
        "authentication",
        "checks",
        "conf",
        "console",
        "display",
        "events",
        "forms",
        "gate",
        "management",
        "migrations",
        "models",
        "permissions",
        "schedules",
        "schema",
        "scopes",
        "serializers",
        "stuck",
        "tasks",
        "urls",
        "views",
    ]
)
"""In a domain app these parse, authorise, call and render, or declare; everything else is a service."""

APPS = (
    {"metrics"},
    {"audit"},
    {"following"},
    {"rollups"},
    {"access", "alerts", "exports", "jobs", "keys", "links", "notices"},
    {"sessions"},
    {"cases"},
    {"detections", "files", "kme"},
    {"custody"},
    {"reports"},
    {"operations"},
)
"""Domain apps, lowest first. A service imports lower apps only."""
FRAMES = frozenset({"common", "console", "stack"})

ROOMS = (
    {"trail", "job_kinds"},
    {"states", "traits", "attributes"},
    {"records"},
    {"store"},
    {"services"},
    {"bodies"},
    {"uploads", "reading", "messages"},
    {"life", "keys"},
)
"""Rooms of ``apps.files``, lowest first; its other modules stand with its services."""

PURE = {
    "qkd": {"numpy", "scipy", "gmpy2", "numba", "matplotlib", "cryptography"},
    "qkdseal": {"cryptography"},
    "qkdclient": {"qkdseal", "cryptography", "urllib3", "click", "keyring"},
}
"""Packages usable alone, and what they import beside the standard library."""
CLOCKS = frozenset({"time", "datetime", "sched", "calendar"})
FRAMEWORK = frozenset({"rest_framework", "drf_spectacular"})


@dataclass(frozen=True, slots=True)
class Module:
    """A module's place in the house."""

    name: str

    @property
    def parts(self) -> list[str]:
        return self.name.split(".")

    @property
    def root(self) -> str:
        return self.parts[0]

    @property
    def app(self) -> str:
        """Its app, or nothing where it is in none."""
        return self.parts[1] if self.root == "apps" and len(self.parts) > 1 else ""

    @property
    def is_domain(self) -> bool:
        return self.app != "" and self.app not in FRAMES

    @property
    def is_edge(self) -> bool:
        return self.is_domain and not EDGES.isdisjoint(self.parts[2:])

    @property
    def is_service(self) -> bool:
        return self.is_domain and len(self.parts) > 2 and not self.is_edge

    @property
    def is_store(self) -> bool:
        return self.is_service and self.parts[2] == "store"

    @property
    def level(self) -> int | None:
        """The floor of its app, or None where nobody said it."""
        return next((number for number, apps in enumerate(APPS) if self.app in apps), None)

    @property
    def room(self) -> str:
        """Its room in ``apps.files``."""
        name = self.parts[2]
        return name if len(self.parts) > 3 or any(name in rooms for rooms in ROOMS) else "services"

    @property
    def floor(self) -> int | None:
        """The floor of its room in ``apps.files``."""
        return next((number for number, rooms in enumerate(ROOMS) if self.room in rooms), None)


class Import(NamedTuple):
    """One module imports another."""

    importer: Module
    imported: Module

    def __str__(self) -> str:
        return f"{self.importer.name} -> {self.imported.name}"


Rule = Callable[[Import, ImportGraph], bool]


def pure(found: Import, _graph: ImportGraph) -> bool:
    """A package that is usable alone imports what it is allowed to; the format knows no clock either."""
    importer, imported = found
    if importer.root not in PURE or imported.root == importer.root:
        return False
    if importer.root == "qkdseal" and imported.root in CLOCKS:
        return True
    return imported.root not in PURE[importer.root] | sys.stdlib_module_names


def common(found: Import, _graph: ImportGraph) -> bool:
    """Common code knows no app."""
    return found.importer.app == "common" and found.imported.app not in {"", "common"}


def console(found: Import, _graph: ImportGraph) -> bool:
    """The console's frame knows common code only; apps know the frame by their edges."""
    return found.importer.app == "console" and found.imported.app not in {"", "common", "console"}


def stack(found: Import, _graph: ImportGraph) -> bool:
    """The product does not know the embedded AWS."""
    return found.imported.app == "stack" and found.importer.app != "stack"


def project(found: Import, _graph: ImportGraph) -> bool:
    """Nobody but what starts it knows the Django project."""
    return (
        found.imported.root == "qkdplatform"
        and found.importer.root != "qkdplatform"
        and found.importer.app != "stack"
    )


def services(found: Import, graph: ImportGraph) -> bool:
    """A service knows no edge, no console and no web framework, nor common code made for edges."""
    importer, imported = found
    if not importer.is_service:
        return False
    if imported.app == "common":
        direct = graph.find_modules_directly_imported_by(imported.name)
        return not EDGES.isdisjoint(imported.parts[2:]) or not FRAMEWORK.isdisjoint(direct)
    return imported.is_edge or imported.app == "console" or imported.root in FRAMEWORK


def stores(found: Import, _graph: ImportGraph) -> bool:
    """A store is imported by the services of its own app."""
    importer, imported = found
    return imported.is_store and not (importer.is_service and importer.app == imported.app)


def layers(found: Import, _graph: ImportGraph) -> bool:
    """Services know their own app and lower ones; edges are left out, and job kinds know what a kind is."""
    importer, imported = found
    if importer.parts[2:] == ["job_kinds"] and imported.name == "apps.jobs.kinds":
        return False
    if not (importer.is_service and imported.is_service) or importer.app == imported.app:
        return False
    return importer.level is None or imported.level is None or importer.level <= imported.level


def rooms(found: Import, _graph: ImportGraph) -> bool:
    """Rooms of ``apps.files`` know their own modules and lower rooms."""
    importer, imported = found
    if not (importer.is_service and imported.is_service and importer.app == imported.app == "files"):
        return False
    if importer.room == imported.room:
        return False
    return importer.floor is None or imported.floor is None or importer.floor <= imported.floor


RULES: Mapping[str, Rule] = {
    rule.__name__: rule for rule in (pure, common, console, stack, project, services, stores, layers, rooms)
}


def broken(rule: Rule, graph: ImportGraph) -> Iterator[Import]:
    """Yield the imports that break a rule, those for type checkers among them."""
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            found = Import(Module(importer), Module(imported))
            if rule(found, graph):
                yield found


def misplaced(module: Module) -> str:
    """Say why no rule can tell where a module stands; nothing where one can."""
    if module.root in {*PURE, "qkdplatform"} or module.name == "apps" or module.app in FRAMES:
        return ""
    if module.root != "apps":
        return "its package is in no list of tests/contracts.py"
    if module.level is None:
        return "its app is missing in APPS of tests/contracts.py"
    if module.app == "files" and module.is_service and module.floor is None:
        return "its room is missing in ROOMS of tests/contracts.py"
    return ""


class HouseContract(Contract):
    """One of the rules, as import-linter knows contracts."""

    type_name = "house"
    rule = fields.StringField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - import-linter's signature
        """Find what breaks the rule, and modules that stand nowhere."""
        found = [str(one) for one in broken(RULES[str(self.rule)], graph)]
        ours = {"apps", "qkdplatform", *PURE}
        places = {name: misplaced(Module(name)) for name in graph.modules if name.split(".")[0] in ours}
        found += [f"{name}: {why}" for name, why in sorted(places.items()) if why]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each, with what the rule says."""
        output.print_error(RULES[str(self.rule)].__doc__ or "")
        for line in check.metadata["found"]:
            output.print_error(f"  {line}")
