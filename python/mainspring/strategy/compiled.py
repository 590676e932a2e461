"""`@ms.compiled`: the same strategy class, run as machine code.

`compilation` turns the class's callbacks into functions over plain words and has numba compile
them, or finds them compiled; the engine calls them through a C pointer without the interpreter.
Whatever compiled code refuses is run again in plain Python, so that an error shows the author's
line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from mainspring.errors import ConfigError
from mainspring.strategy.base import Strategy, Trigger

if TYPE_CHECKING:
    from mainspring._core import CompiledStrategy

S = TypeVar("S", bound=Strategy)
T = TypeVar("T", bound=type)


@overload
def compiled(cls: type[S], /) -> type[S]: ...
@overload
def compiled(cls: type, /) -> type[Any]: ...
@overload
def compiled(*, every: str | int | None = None, on: Trigger | None = None) -> Callable[[T], T]: ...
def compiled(
    cls: type | None = None,
    /,
    *,
    every: str | int | None = None,
    on: Trigger | None = None,
) -> Any:
    """Has a strategy's callbacks compiled to machine code when it runs.

    The class reads like any other strategy, derived from `ms.Strategy` or not::

        @ms.compiled(every="100ms")
        class Joiner:
            size: ms.Qty = "0.01"
            _calls: int = 0

            def on_book(self, m):
                self._calls += 1
                m.quote(bid=((m.bid, self.size),), ask=((m.ask, self.size),))

    `on_start` and `on_stop` run in plain Python; the other callbacks may read parameters, market
    and features, compute with numbers, keep numbers in annotated attributes whose name starts with
    an underscore, and say what they want. Needs the extra ``compiled``.

    Args:
        cls: the class.
        every: interval at which `on_book` is called, as for `ms.Strategy`.
        on: when else `on_book` is called, as for `ms.Strategy`.

    Raises:
        ConfigError: `every` or `on` cannot be used, or the decorated object is not a class.
        StrategyError: at the start of a run, when a callback does what compiled code cannot; the
            message names file and line.
    """
    if cls is None:
        return lambda one: _mark(one, every, on)
    return _mark(cls, every, on)


def _mark(cls: Any, every: str | int | None, on: Trigger | None) -> type[Strategy]:
    if not isinstance(cls, type):
        raise ConfigError(f"@ms.compiled is for a strategy class, not {cls!r}")
    made: type[Strategy]
    if issubclass(cls, Strategy):
        made = cls
    else:
        body = {k: v for k, v in vars(cls).items() if k not in ("__dict__", "__weakref__")}
        bases = tuple(base for base in cls.__bases__ if base is not object)
        made = type(cls.__name__, (*bases, Strategy), body)
    made._compiled = True
    made._set_trigger(every, on)
    return made


def to_engine(strategy: Strategy) -> CompiledStrategy:
    """The engine's form of a compiled strategy; compiles it where that was not done before.

    Raises:
        StrategyError: a callback does what compiled code cannot; the message names file and line.
        ConfigError: numba is not installed.
    """
    from mainspring._core import CompiledStrategy
    from mainspring.strategy.compilation.machine_code import load
    from mainspring.strategy.compilation.program import translate

    program = translate(type(strategy))
    code = load(program)
    return CompiledStrategy(
        strategy,
        entry=code.entry,
        code=code,
        fields=program.fields,
        features=program.features,
        reads=sorted(program.reads),
        depth=program.depth,
    )
