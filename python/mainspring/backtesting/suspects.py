"""Lines of a strategy's source that usually make runs differ."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

_CALLS = {
    "time.time": "the computer's clock; use m.now_ns",
    "time.time_ns": "the computer's clock; use m.now_ns",
    "time.perf_counter": "the computer's clock; use m.now_ns",
    "time.perf_counter_ns": "the computer's clock; use m.now_ns",
    "time.monotonic": "the computer's clock; use m.now_ns",
    "datetime.now": "the computer's clock; use m.now_ns",
    "datetime.utcnow": "the computer's clock; use m.now_ns",
    "date.today": "the computer's clock; use m.now_ns",
    "os.urandom": "random bytes",
    "os.getpid": "the process",
    "uuid.uuid4": "random bytes",
    "uuid.uuid1": "clock and machine",
    "id": "an address in memory",
    "hash": "text hashes differ between processes",
}
_SEEDED = {"Random", "default_rng", "seed", "RandomState", "Generator", "PCG64"}


def suspects_of(cls: type) -> list[str]:
    """``file:line: what`` of the clock, unseeded random numbers, sets that are gone through.

    The functions beside the class are read too, as it may use them.
    """
    try:
        file = inspect.getsourcefile(cls)
        text = Path(file).read_text(encoding="utf-8") if file else ""
        tree = ast.parse(text)
    except (OSError, TypeError, ValueError, SyntaxError):
        return []
    own = {base.__name__ for base in cls.__mro__}
    parts = [p for p in tree.body if not isinstance(p, ast.ClassDef) or p.name in own]
    nodes = (node for part in parts for node in ast.walk(part))
    found = sorted({(line, what) for node in nodes for line, what in _suspects(node)})
    return [f"{file}:{line}: {what}" for line, what in found]


def _suspects(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Call):
        yield from _call(node)
    iterated = node.iter if isinstance(node, ast.For | ast.comprehension) else None
    if iterated is not None and _is_set(iterated):
        yield iterated.lineno, "goes through a set, whose order differs between processes; sort it"
    if isinstance(node, ast.Set | ast.SetComp):
        yield node.lineno, "makes a set; going through it has another order in each process"


def _call(node: ast.Call) -> Iterator[tuple[int, str]]:
    name = ast.unparse(node.func)
    last_two = ".".join(name.split(".")[-2:])
    if last_two in _CALLS:
        yield node.lineno, f"{name}() is {_CALLS[last_two]}"
    last = name.rsplit(".", 1)[-1]
    if "random" in name.split(".")[:-1] and last not in _SEEDED:
        yield node.lineno, f"{name}() draws from a generator that the process shares; seed your own"
    if last in _SEEDED and not node.args and not node.keywords:
        yield node.lineno, f"{name}() has no seed"
    if name in ("set", "frozenset"):
        yield node.lineno, "makes a set; going through it has another order in each process"


def _is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("set", "frozenset")
