"""Habits that a reader relies on and a tool can count."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "headwater").rglob("*.py")) + sorted((ROOT / "plugins").rglob("*.py"))


def test_there_is_something_to_count():
    assert len(SOURCES) > 40


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_stop_at_400_lines_and_functions_at_40(file: Path):
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node) is not None
            start = node.body[1].lineno if documented and len(node.body) > 1 else node.body[0].lineno
            assert (node.end_lineno or start) - start < 40, node.name


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_public_surface_is_declared_sorted_and_true(file: Path):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    declared = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
    ]
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"]
    if not declared:
        assert not public, "public names without __all__"
        return
    names = ast.literal_eval(declared[0])
    assert (
        sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name)) == names
        or sorted(names) == names
    )
    bound = {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            bound.add(node.name)
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            bound |= {name.id for name in ast.walk(target) if isinstance(name, ast.Name)} if target else set()
    assert set(names) <= bound


def test_imports_of_the_project_leave_no_path_of_a_machine():
    for file in SOURCES:
        text = file.read_text(encoding="utf-8")
        assert str(ROOT.parent) + "/" not in text
