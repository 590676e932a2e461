"""From a strategy class to functions over plain words that numba can compile.

Each callback, and each method that one calls, becomes a function of six pointers: the context, the
requests and the strategy's own numbers, each seen as int64 and as float64. `m.bid` becomes the
arithmetic of the Python view on words of the context, `self.size` a word of the own numbers, and
`m.quote(...)` writes into the request buffer. Lines stay the author's, so that messages show them.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
import typing
from dataclasses import dataclass, field
from typing import Any

from mainspring.errors import StrategyError
from mainspring.strategy.base import Strategy
from mainspring.strategy.compilation.statements import Method
from mainspring.strategy.compilation.vocabulary import CALLBACKS, POINTERS, PREFIX
from mainspring.strategy.parameters import Price, Qty


@dataclass(frozen=True)
class Function:
    """One generated function and the file that its lines belong to."""

    tree: ast.FunctionDef
    file: str


@dataclass
class Program:
    """A strategy class in a form that can be compiled.

    Attributes:
        name: of the class.
        module: of the class.
        functions: generated functions in the order of definition; the last is the entry point.
        constants: global numbers that they read.
        fields: own attributes with their kind (f, i, b), in the order of their words.
        features: features read, in the order of their words.
        reads: what else the engine has to look up for it.
        depth: levels of depth a side that it reads.
    """

    name: str
    module: str
    functions: list[Function] = field(default_factory=list)
    constants: dict[str, int | float | bool] = field(default_factory=dict)
    fields: list[tuple[str, str]] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    depth: int = 0

    def text(self) -> str:
        """The program as text: equal programs have equal machine code."""
        functions = (ast.dump(function.tree) for function in self.functions)
        return "\n".join(
            [self.name, repr(sorted(self.constants.items())), repr(self.fields), *functions]
        )


def translate(cls: type[Strategy]) -> Program:
    """The program of a strategy class.

    Raises:
        StrategyError: a callback does what compiled code cannot; the message names file and line.
    """
    program = Program(cls.__name__, cls.__module__)
    translator = Translation(cls, program)
    used = [name for name in CALLBACKS if getattr(cls, name) is not getattr(Strategy, name)]
    for name in used:
        translator.method(name, CALLBACKS[name][1])
    program.functions.append(Function(_entry(used), "<mainspring entry>"))
    return program


def _entry(used: list[str]) -> ast.FunctionDef:
    pointers = ", ".join(PREFIX + name for name in POINTERS)
    lines = [f"def {PREFIX}entry({PREFIX}which, {pointers}):"]
    lines += [
        f"    if {PREFIX}which == {CALLBACKS[name][0]}: {PREFIX}m_{name}({pointers})"
        for name in used
    ]
    return _parsed("\n".join([*lines, "    return 0"]))


def _parsed(text: str) -> ast.FunctionDef:
    tree = ast.parse(text).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree


class Translation:
    """What is known of the class while its methods are translated."""

    def __init__(self, cls: type[Strategy], program: Program) -> None:
        self.cls = cls
        self.program = program
        self.kinds = _field_kinds(cls)
        self.done: dict[str, bool] = {}

    def method(self, name: str, told: str | None = None) -> None:
        """Translates a method, and before it those that it calls."""
        self.done[name] = False
        function = getattr(self.cls, name)
        tree, file = _source_of(function)
        translated = Method(self, function, tree, file, told).function()
        self.program.functions.append(Function(translated, file))
        self.done[name] = True

    def math(self, name: str) -> None:
        """Adds a function of `math` that refuses what Python's refuses."""
        if f"math.{name}" not in self.done:
            self.done[f"math.{name}"] = True
            text = f"return {PREFIX}checked({PREFIX}math.{name}(x), x)"
            made = _parsed(f"def {PREFIX}math_{name}(x): {text}")
            self.program.functions.append(Function(made, "<mainspring math>"))

    def word(self, name: str) -> int:
        """The word of an own attribute."""
        names = [one for one, _ in self.program.fields]
        if name not in names:
            self.program.fields.append((name, self.kinds[name]))
            return len(names)
        return names.index(name)


def _field_kinds(cls: type[Strategy]) -> dict[str, str]:
    """Own attributes that compiled code knows: parameters, and state with an underscore."""
    kinds = {float: "f", Qty: "f", Price: "f", int: "i", bool: "b"}
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base not in (object, Strategy):
            hints |= {
                name: kind
                for name, kind in typing.get_type_hints(base).items()
                if name in inspect.get_annotations(base)
            }
    return {name: kinds[kind] for name, kind in hints.items() if kind in kinds}


def _source_of(function: Any) -> tuple[ast.FunctionDef, str]:
    if not isinstance(function, types.FunctionType):
        raise StrategyError(f"{function!r} cannot be compiled: it is not a method")
    file = function.__code__.co_filename
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError as error:
        raise StrategyError(
            f"{function.__qualname__} cannot be compiled: its source is not to be had; write the "
            "strategy in a file"
        ) from error
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    ast.increment_lineno(tree, first - 1)
    if not isinstance(tree, ast.FunctionDef):
        raise StrategyError(f"{file}:{first}: only a plain method can be compiled")
    return tree, file
