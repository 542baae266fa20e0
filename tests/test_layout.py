"""The library's rooms: floors, circles, no loose module; read from the imports alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import absorption

ROOT = Path(absorption.__file__).parent
FLOORS = (
    "base", "claims", "plots", "models", "saes", "spelling", "probes", "latents", "ablation", "definitions",
    "mediation", "one_sae", "concepts", "training", "several_saes", "stitching", "scaling", "remedies", "composition",
    "planted", "toy", "explorer",
    "chapters", "runner", "api", "sweep", "cli",
)  # fmt: skip
"""The rooms, lowest first: a room imports from rooms before it, never from one behind it."""
MODULES = {
    ".".join(("absorption", *path.relative_to(ROOT).with_suffix("").parts)): path
    for path in ROOT.rglob("*.py")
}
"""Every module by its dotted name; a room's own file ends in ``__init__``."""


def room(module: str) -> str:
    return module.split(".")[1]


def imported(path: Path, with_types: bool = True) -> set[str]:
    """Modules of the library that a file imports, anywhere in it.

    Args:
        path: of the file.
        with_types: also those that only type checkers import.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not with_types:
        tree.body = [statement for statement in tree.body if not _for_types(statement)]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "absorption":
            for alias in node.names:
                names = (f"{node.module}.{alias.name}", f"{node.module}.{alias.name}.__init__")
                found |= {name for name in names if name in MODULES} or {_file(str(node.module))}
        elif isinstance(node, ast.Import):
            found |= {_file(alias.name) for alias in node.names if alias.name.split(".")[0] == "absorption"}
    return found


def _file(module: str) -> str:
    return module if module in MODULES else f"{module}.__init__"


def _for_types(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"


def test_every_module_lies_in_a_room_that_has_a_floor() -> None:
    assert len(MODULES) > 100
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py"}
    assert {room(name) for name in MODULES if name != "absorption.__init__"} == set(FLOORS)


def test_the_readme_lists_all_rooms_in_the_order_of_their_floors() -> None:
    text = (ROOT.parents[1] / "README.md").read_text(encoding="utf-8")
    table = text.split("| room | what is in it |", 1)[1].split("\n\n", 1)[0]
    firsts = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert [name for first in firsts for name in re.findall(r"`(\w+)`", first)] == list(FLOORS)


def test_no_room_imports_from_a_higher_floor() -> None:
    upward = [
        f"{name} imports {other}"
        for name, path in MODULES.items()
        for other in imported(path)
        if "absorption.__init__" not in (name, other) and FLOORS.index(room(other)) > FLOORS.index(room(name))
    ]
    assert upward == []


def test_no_string_names_a_module_of_a_higher_floor() -> None:
    named = []
    for name, path in MODULES.items():
        if name == "absorption.__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
                start = node.value.split(":")[0].split(".")
                if (
                    start[0] == "absorption"
                    and len(start) > 1
                    and start[1] in FLOORS[FLOORS.index(room(name)) + 1 :]
                ):
                    named.append(f"{name} names {node.value}")
    assert named == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    top = "absorption.__init__"  # looks its public names up when they are first used
    rest = {
        name: imported(path, with_types=False) - {name, top} for name, path in MODULES.items() if name != top
    }
    while free := {name for name, others in rest.items() if not others & rest.keys()}:
        rest = {name: others for name, others in rest.items() if name not in free}
    assert sorted(rest) == []


def test_a_room_lists_no_name_twice() -> None:
    for name, path in MODULES.items():
        if name.endswith(".__init__"):
            body = ast.parse(path.read_text(encoding="utf-8")).body
            names = [alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names]
            assert len(names) == len(set(names)), name
            if name != "absorption.__init__":
                assert "__all__" not in path.read_text(encoding="utf-8"), name


def test_no_two_files_of_tests_have_one_name() -> None:
    """pytest imports a file by its name alone, and stops at the second of a name before it runs a test."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert Path(__file__).name in names
    assert sorted({name for name in names if names.count(name) > 1}) == []
