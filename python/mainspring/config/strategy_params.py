"""The component JSON (`{"strategy_params": {...}}`) of modular market makers, as our sections.

Every key is accounted for: it is translated, or a note says why it means nothing here. A key that
nobody knows is left where it is, so that it is told as unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mainspring.config.faults import ConfigFaults, Fault, dotted, nearest
from mainspring.config.places import Key
from mainspring.config.reading import Text

ROOT = "strategy_params"


@dataclass(frozen=True, slots=True)
class Note:
    """What became of a key of the component JSON.

    Attributes:
        key: there, dotted.
        line: there.
        target: the key here that it sets; None when it means nothing here.
        text: in words.
    """

    key: str
    line: int | None
    target: str | None
    text: str


@dataclass(frozen=True, slots=True)
class _To:
    """A key here, and how a value there is written here."""

    section: str
    name: str
    convert: Callable[[Any], Any] = lambda value: value


def _seconds(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{Decimal(str(value)):f}s" if number else value


def _from_bps(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return format(Decimal(str(value)).scaleb(-4), "f") if number else value


FEATURES = {
    "imbalance": "imbalance:levels=3",
    "volatility": "ewma_volatility",
    "adverse_selection": "weighted_mid",
}
"""Processors there and the features here that say the same."""

_TRANSLATED: Mapping[tuple[str, ...], _To] = {
    ("event_bus", "max_history"): _To("events", "history"),
    ("state_machine", "creation_timeout_secs"): _To("orders", "creation_timeout", _seconds),
    ("state_machine", "cancel_timeout_secs"): _To("orders", "cancel_timeout", _seconds),
    ("risk_adjuster", "min_order_size"): _To("execution", "below_minimum", lambda _: "drop"),
    ("risk_adjuster", "margin_safety_buffer"): _To("margin", "buffer"),
    ("risk_adjuster", "leverage"): _To("margin", "leverage"),
    ("order_executor", "requote_threshold_bps"): _To("execution", "price_threshold_bps"),
    ("market_data_pipeline", "processors"): _To("run", "features"),
    ("max_absolute_position_size",): _To("limits", "max_position"),
    ("maker_fee_bps",): _To("fees", "maker", _from_bps),
    ("taker_fee_bps",): _To("fees", "taker", _from_bps),
    ("lambda_base",): _To("parameters", "a"),
    ("multi_level_config", "max_levels"): _To("parameters", "levels"),
}

_SAID: Mapping[tuple[str, ...], str] = {
    ("risk_adjuster", "min_order_size"): (
        "execution.below_minimum = drop: orders below the venue's own minimum are left out; for a "
        "larger one set position_states.min_order_lots"
    ),
}
"""What is said of keys whose value is not taken as it is."""

_MEANINGLESS: Mapping[tuple[str, ...], str] = {
    ("state_machine", "auto_recovery"): (
        "an overdue order is always asked about and never given up as failed; this cannot be "
        "turned off"
    ),
    ("phi",): (
        "the running penalty on inventory follows from risk aversion: set parameters.gamma, with "
        "phi = gamma sigma^2 / 2"
    ),
    ("ewma_vol_config",): "write its half-life into run.features: ewma_volatility:halflife=60s",
    ("hybrid_vol_config",): "volatility is ewma_volatility; write it into run.features",
    ("multi_level_config",): "levels lie parameters.spacing_ticks apart, in ticks of the venue",
    ("robust_config",): "set parameters.sigma to the volatility that should be withstood",
    ("inventory_markout_config",): "the quotes of native:Glft move with the inventory themselves",
    ("auto_tuning",): "parameters are tried beforehand: mainspring sweep",
}


def translate(text: Text) -> tuple[dict[str, Any], dict[Key, int], list[Note]]:
    """A file's tree in our sections, the line of each key, and what became of foreign ones.

    Raises:
        ConfigFaults: a key under `strategy_params` is not known, or set here as well.
    """
    foreign = text.tree.get(ROOT)
    if foreign is None:
        return text.tree, text.lines, []
    work = _Translation(text)
    if not isinstance(foreign, Mapping):
        work.refuse((), "is not a table of components")
    else:
        work.table((), foreign)
    if work.faults:
        raise ConfigFaults(work.faults)
    work.choose_strategy()
    work.shape_positions()
    return work.tree, work.lines, work.notes


class _Translation:
    def __init__(self, text: Text) -> None:
        self.where = str(text.file)
        self.given = text.lines
        self.tree: dict[str, Any] = {
            name: dict(table) if isinstance(table, dict) else table
            for name, table in text.tree.items()
            if name != ROOT
        }
        self.lines = dict(text.lines)
        self.notes: list[Note] = []
        self.faults: list[Fault] = []

    def table(self, above: tuple[str, ...], values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            key = (*above, name)
            target = _TRANSLATED.get(key)
            if target is not None:
                self._set(key, target, value)
            elif isinstance(value, Mapping) and _is_component(key):
                self.table(key, value)
            elif (why := _why_meaningless(key)) is not None:
                self.notes.append(Note(self._name(key), self._line(key), None, why))
            else:
                self._unknown(key)

    def _set(self, key: tuple[str, ...], to: _To, value: Any) -> None:
        section = self.tree.setdefault(to.section, {})
        if not isinstance(section, dict) or to.name in section:
            self.refuse(key, f"{to.section}.{to.name} is set in this file as well", "keep one")
            return
        value = self._features(key, value) if to.name == "features" else to.convert(value)
        section[to.name] = value
        line = self._line(key)
        if line is not None:
            self.lines[to.section, to.name] = line
        target = f"{to.section}.{to.name}"
        text = _SAID.get(key, f"{target} = {value}")
        self.notes.append(Note(self._name(key), line, target, text))

    def _features(self, key: tuple[str, ...], value: Any) -> Any:
        if not isinstance(value, list):
            return value
        unknown = [one for one in value if not isinstance(one, str) or one not in FEATURES]
        for one in unknown:
            near = nearest(str(one), FEATURES)
            fix = f"did you mean {near!r}?" if near else f"there are {', '.join(FEATURES)}"
            self.refuse(key, f"there is no processor {str(one)[:60]!r}", fix)
        return [FEATURES[one] for one in value if one not in unknown]

    def shape_positions(self) -> None:
        """A risk adjuster shapes by the share of the largest position, where there is one."""
        if "max_position" in self.tree.get("limits", {}) and "margin" in self.tree:
            self.tree.setdefault("position_states", {})

    def choose_strategy(self) -> None:
        """Parameters of the quoting model are those of the native market maker of its kind."""
        run = self.tree.setdefault("run", {})
        if "parameters" in self.tree and isinstance(run, dict) and "strategy" not in run:
            run["strategy"] = "native:Glft"
            text = "run.strategy = native:Glft, which quotes with these parameters"
            self.notes.append(Note(ROOT, self._line(()), "run.strategy", text))
        if not run:
            del self.tree["run"]

    def _unknown(self, key: tuple[str, ...]) -> None:
        known = {
            path[len(key) - 1]
            for path in (*_TRANSLATED, *_MEANINGLESS)
            if len(path) >= len(key) and path[: len(key) - 1] == key[:-1]
        }
        near = nearest(key[-1], known)
        fix = f"did you mean {near}?" if near else f"there are {', '.join(sorted(known))}"
        self.refuse(key, "there is no such key", fix)

    def refuse(self, key: tuple[str, ...], what: str, fix: str = "") -> None:
        self.faults.append(Fault(self.where, self._line(key), self._name(key), what, fix))

    def _name(self, key: tuple[str, ...]) -> str:
        return dotted((ROOT, *key))

    def _line(self, key: tuple[str, ...]) -> int | None:
        return self.given.get((ROOT, *key))


def _is_component(key: tuple[str, ...]) -> bool:
    return any(path[: len(key)] == key and len(path) > len(key) for path in _TRANSLATED) or any(
        path[: len(key)] == key and len(path) > len(key) for path in _MEANINGLESS
    )


def _why_meaningless(key: tuple[str, ...]) -> str | None:
    for depth in range(len(key), 0, -1):
        if key[:depth] in _MEANINGLESS:
            return _MEANINGLESS[key[:depth]]
    return None
