"""Attributes that a strategy changes and that a restart would lose."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import FunctionType

from mainspring.strategy.base import Strategy


def undeclared_state(strategy: Strategy) -> list[str]:
    """Names of attributes that the strategy's methods assign and that are not its parameters.

    Empty when the class overrides `save_state` and `load_state`: then it says itself what is kept.
    Constructors are not looked at: what only they assign is the same after a restart.
    """
    cls = type(strategy)
    if cls.save_state is not Strategy.save_state and cls.load_state is not Strategy.load_state:
        return []
    assigned = {name for method in _methods(cls) for name in _assigned_to_self(method)}
    return sorted(assigned - set(cls.parameters))


def _methods(cls: type) -> Iterator[FunctionType]:
    for owner in cls.__mro__:
        if owner is Strategy:
            return
        for name, value in vars(owner).items():
            if isinstance(value, FunctionType) and name != "__init__":
                yield value


def _assigned_to_self(method: FunctionType) -> Iterator[str]:
    """Names `x` of every `self.x = ...` and `self.x += ...` in a method."""
    names = method.__code__.co_varnames
    if not names:
        return
    before: dis.Instruction | None = None
    for instruction in dis.get_instructions(method):
        if instruction.opname == "STORE_ATTR" and _loads(before, names[0]):
            yield str(instruction.argval)
        before = instruction if instruction.opname not in ("CACHE", "NOP") else before


def _loads(instruction: dis.Instruction | None, name: str) -> bool:
    """Whether an instruction leaves the local `name` on top of the stack."""
    if instruction is None:
        return False
    if instruction.opname in ("SWAP", "ROT_TWO", "COPY"):
        # An augmented assignment: the object was loaded before its attribute.
        return True
    loaded = instruction.argval
    last = loaded[-1] if isinstance(loaded, tuple) else loaded
    return instruction.opname.startswith("LOAD_FAST") and last == name
