"""A flag that a verb takes and then forgets would be accepted in silence."""

from __future__ import annotations

import ast
from pathlib import Path

import mainspring.cli
import pytest

MODULES = sorted(Path(mainspring.cli.__file__).parent.glob("*.py"))


def forgotten(function: ast.FunctionDef) -> set[str]:
    """Parameters that the body neither reads nor says that it does not need (`del`)."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    if arguments.vararg is not None:
        every.append(arguments.vararg)
    read = {
        node.id
        for statement in function.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load | ast.Del)
    }
    return {one.arg for one in every if one.arg not in read and not one.arg.startswith("_")}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_every_parameter_of_a_verb_is_read(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            assert not forgotten(node), f"{module.name}: {node.name} forgets {forgotten(node)}"
