"""The stub of the extension names what the extension has, and nothing else.

`make check` runs mypy's stubtest, which compares the signatures as well; this is the quick half.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import mainspring
from mainspring import _core

STUB = Path(mainspring.__file__).parent / "_core.pyi"


def _names(body: list[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return {name for name in found if not name.startswith("_")}


def _classes(body: list[ast.stmt]) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in body if isinstance(node, ast.ClassDef)}


def test_names_of_the_module_agree() -> None:
    stub = _names(ast.parse(STUB.read_text(encoding="utf-8")).body)
    module = {name for name in vars(_core) if not name.startswith("_")}
    aliases = {"Any"}
    assert stub - aliases == module


def test_members_of_every_class_agree() -> None:
    classes = _classes(ast.parse(STUB.read_text(encoding="utf-8")).body)
    for name, node in classes.items():
        real = getattr(_core, name, None)
        if not inspect.isclass(real):
            continue
        members = {member for member in vars(real) if not member.startswith("_")}
        assert _names(node.body) == members, name
