"""The base class of strategies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mainspring.errors import ConfigError
from mainspring.strategy.callbacks import check_callbacks
from mainspring.strategy.parameters import Parameter, parameters_of
from mainspring.strategy.time_text import duration_ns

if TYPE_CHECKING:
    from mainspring._core import Bar, Fill, Market, Order, Parent, Trade

Feature = str | Mapping[str, Any]
"""A feature as text, ``"ofi:window=5s"``, or what a fit gives (`Microprice.feature`)."""

Trigger = Literal["message", "best", "trade"]
"""When `on_book` is called: after each message that changed the book, after each that moved a best
price, or after each with a trade."""


class Strategy:
    """A strategy: parameters as annotated attributes, behaviour as callbacks.

    Give `every="100ms"` to be called at that interval of logical time, or `on="best"` to be called
    when a best price moves; without either, `on_book` is called after each message that changed the
    book::

        class Joiner(ms.Strategy, every="100ms"):
            size: ms.Qty = "0.01"

            def on_book(self, m):
                m.quote(bid=((m.bid, self.size),), ask=((m.ask, self.size),))

    `m` is the market of the event. It is one reused object: outside the callback it raises
    `StaleView`, so copy what you need later.

    Raises:
        ConfigError: From the constructor, for an unknown, missing or unfitting parameter; from the
            class itself, for a callback that cannot be called as it is written.
    """

    _declares_no_parameters: ClassVar[bool] = True
    _every_ns: ClassVar[int | None] = None
    _trigger: ClassVar[Trigger] = "message"
    _compiled: ClassVar[bool] = False
    features: ClassVar[Sequence[Feature]] = ()
    """Features that the strategy reads as `m.features.NAME`, such as ``("ofi:window=5s",)``."""
    bars: ClassVar[Sequence[str]] = ()
    """Bars that the kernel builds for `on_bar`, such as ``("1m",)``."""
    parameters: ClassVar[dict[str, Parameter]] = {}

    name: str
    _given: dict[str, Any]

    def __init_subclass__(
        cls, *, every: str | int | None = None, on: Trigger | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls._declares_no_parameters = False
        cls._set_trigger(every, on)
        cls.parameters = parameters_of(cls)
        check_callbacks(cls)

    @classmethod
    def _set_trigger(cls, every: str | int | None, on: Trigger | None) -> None:
        if every is not None and on is not None:
            raise ConfigError(f"strategy {cls.__name__}: give either every= or on=, not both")
        if every is not None:
            cls._every_ns = duration_ns(every)
        if on is not None:
            if on not in ("message", "best", "trade"):
                raise ConfigError(
                    f"strategy {cls.__name__}: on={on!r}; use 'message', 'best' or 'trade'"
                )
            cls._trigger, cls._every_ns = on, None

    def __init__(self, **values: Any) -> None:
        cls = type(self)
        self.name = cls.__name__
        given = {name: self._converted(name, value) for name, value in values.items()}
        for name, parameter in cls.parameters.items():
            if name in given:
                setattr(self, name, given[name])
            elif parameter.required:
                raise ConfigError(f"{cls.__name__} needs a value for parameter {name!r}")
            else:
                setattr(self, name, parameter.default)
        self._given = self.parameter_values

    @property
    def parameter_values(self) -> dict[str, Any]:
        """The parameters as they are now."""
        return {name: getattr(self, name) for name in type(self).parameters}

    @property
    def trigger(self) -> str:
        """When `on_book` is called, as the engine is told."""
        return self._trigger if self._every_ns is None else f"every:{self._every_ns}"

    def __repr__(self) -> str:
        values = ", ".join(f"{k}={v!r}" for k, v in self.parameter_values.items())
        return f"{type(self).__name__}({values})"

    def save_state(self) -> Any:
        """What a restart of a session gives back to `load_state`: anything that JSON can hold.

        Parameters are kept by themselves. A strategy that changes other attributes overrides both.
        """
        return None

    def load_state(self, state: Any) -> None:
        """Takes back what `save_state` gave before a restart."""

    def parameters_changed(self, names: Sequence[str]) -> None:
        """Parameters became others while a session runs; they hold already.

        For what a strategy computes from its parameters and keeps.
        """

    def _save_state(self) -> bytes:
        own = {
            "parameters": self.parameter_values,
            "given": self._given,
            "state": self.save_state(),
        }
        return json.dumps(own, sort_keys=True, allow_nan=True).encode()

    def _load_state(self, data: bytes) -> None:
        """Takes what was saved before a restart, or by the version before this one.

        A parameter that this strategy was made with otherwise than the one that saved is newer.
        """
        own = json.loads(data)
        mine = json.loads(json.dumps(self._given, allow_nan=True))
        before = own.get("given", mine)
        for name, value in own["parameters"].items():
            if name in mine and before.get(name) == mine[name]:
                setattr(self, name, type(self).parameters[name].convert(value))
        if own["state"] is not None:
            self.load_state(own["state"])

    def _set_parameters(self, data: bytes) -> None:
        """Takes other values of some parameters: all of them, or none."""
        values = {name: self._converted(name, one) for name, one in json.loads(data).items()}
        for name, value in values.items():
            setattr(self, name, value)
        self.parameters_changed(tuple(values))

    @classmethod
    def _converted(cls, name: str, value: Any) -> Any:
        if name not in cls.parameters:
            known = ", ".join(cls.parameters) or "none"
            raise ConfigError(f"{cls.__name__} has no parameter {name!r}; it has {known}")
        return cls.parameters[name].convert(value)

    # The callbacks. One that a class does not override is never called and costs nothing.

    def on_start(self, m: Market) -> None:
        """Before the first event; the book is still empty."""

    def on_book(self, m: Market) -> None:
        """The book changed, or the interval of `every` passed."""

    def on_trade(self, m: Market, trade: Trade) -> None:
        """A trade on the feed, after the message that brought it."""

    def on_bar(self, m: Market, bar: Bar) -> None:
        """A bar is complete."""

    def on_fill(self, m: Market, fill: Fill) -> None:
        """Part or all of one of our orders traded; position and orders are up to date."""

    def on_order(self, m: Market, order: Order) -> None:
        """One of our orders changed its state."""

    def on_timer(self, m: Market, tag: int) -> None:
        """A timer set by `m.set_timer(at_ns, tag)` is due."""

    def on_parent(self, m: Market, parent: Parent) -> None:
        """One of our parent orders, started by `m.execute`, is over."""

    def on_stop(self, m: Market) -> None:
        """After the last event."""
