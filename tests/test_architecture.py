"""The packages: imports run downwards, in no circle, and no file grows out of sight."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import glomclf

PACKAGE = Path(glomclf.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# Who may import whom: a package takes from lower layers, never from its own.
LAYERS = (
    {"errors", "_runtime"},
    {"data", "evaluation"},
    {"network", "samplers", "leakage"},
    {"model"},
    {"tuning"},
    {"report"},
    {"cli"},
)
LAYER_OF = {name: layer for layer, names in enumerate(LAYERS) for name in names}


def module_name(file):
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in FILES}


def nodes_run(tree):
    """Yield all nodes but what is read by type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from nodes_run(node)


def imported(name, file):
    """Return the modules of glomclf that a file imports, inside functions too."""
    found = set()
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in nodes_run(ast.parse(file.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        parts = package.split(".")
        base = parts[: len(parts) - node.level + 1]
        source = ".".join([*base, *filter(None, [node.module])])
        for alias in node.names:
            whole = f"{source}.{alias.name}"
            found.add(whole if whole in MODULES else source)
    return found - {name, "glomclf"}


IMPORTS = {name: imported(name, file) for name, file in MODULES.items()}


def package_of(name):
    return name.split(".")[1]


def test_the_packages_are_those_of_the_architecture():
    entries = {path.stem for path in PACKAGE.iterdir()} - {"__pycache__"}
    assert entries - {"__init__", "__main__", "py"} == set(LAYER_OF)


def test_imports_run_downwards():
    upwards = [
        f"{name} -> {other}"
        for name, others in IMPORTS.items()
        if name not in ("glomclf", "glomclf.__main__")
        for other in others
        if package_of(other) != package_of(name)
        and LAYER_OF[package_of(other)] >= LAYER_OF[package_of(name)]
    ]
    assert upwards == []


def test_files_import_each_other_in_no_circle():
    TopologicalSorter(IMPORTS).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("file", FILES, ids=lambda file: module_name(file))
def test_a_file_can_be_read_in_one_sitting(file):
    text = file.read_text()
    assert len(text.splitlines()) <= 400
    long = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and lines_of_code(node) > 40
    ]
    assert long == []


def lines_of_code(function):
    """Count the lines of a function without those of its docstring."""
    docstring = function.body[0] if ast.get_docstring(function) else None
    described = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
    return function.end_lineno - function.lineno + 1 - described
