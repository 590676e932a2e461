"""What `backtest`, `sweep` and `check` share: the flags of a run, over the configuration file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter
from pydantic import ValidationError

from mainspring.backtesting.config import Fees, FillModel, Latency, Venue
from mainspring.cli import strategy_file
from mainspring.config import FILE_NAME, Config, load
from mainspring.config.sections import QueueModel
from mainspring.data.times import to_ns
from mainspring.errors import ConfigError, InvalidValue, NotFoundError
from mainspring.risk import PositionStates
from mainspring.strategy.loading import StrategyClass
from mainspring.strategy.parameters import type_name

_RUN = Group("Run", sort_key=1)
_VENUE = Group("Venue", sort_key=2)

# Flag -> where it is in the configuration file.
_PLACES = {
    "data": ("run", "data"),
    "every": ("run", "every"),
    "cash": ("run", "cash"),
    "report_currency": ("run", "report_currency"),
    "rate": ("run", "rates"),
    "start": ("run", "start"),
    "end": ("run", "end"),
    "feature": ("run", "features"),
    "bars": ("run", "bars"),
    "fill_model": ("venue", "fill_model"),
    "queue_model": ("venue", "queue_model"),
    "feed_latency": ("latency", "feed"),
    "decision_latency": ("latency", "decision"),
    "entry_latency": ("latency", "entry"),
    "response_latency": ("latency", "response"),
    "maker_fee": ("fees", "maker"),
    "taker_fee": ("fees", "taker"),
    "position_limit": ("limits", "max_position"),
}

Words = Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]
"""The strategy, and flags of its parameters: what the verb itself does not know."""


@Parameter(name="*")
@dataclass
class RunOptions:
    """Flags of a run; each wins over the configuration file."""

    data: Annotated[list[str] | None, Parameter(group=_RUN)] = None
    """Event file, catalog name or `sample:btcusdt`; again for several."""
    config: Annotated[Path | None, Parameter(group=_RUN)] = None
    """Configuration file; `mainspring.toml` of this folder when it is there."""
    words: Annotated[list[str] | None, Parameter(name=("--set", "-e"), group=_RUN)] = None
    """`key=value` over file and environment, such as `limits.max_position=3`; again for several."""
    param: Annotated[list[str] | None, Parameter(group=_RUN)] = None
    """Parameter of the strategy as `name=value`; `--name value` does the same."""
    every: Annotated[str | None, Parameter(group=_RUN)] = None
    """Call `on_book` at most this often, as `100ms`."""
    cash: Annotated[Decimal | None, Parameter(group=_RUN)] = None
    """Money at the start, in the settlement currency; 100,000 without it."""
    report_currency: Annotated[str | None, Parameter(group=_RUN)] = None
    """Currency of the equity curve and of limits; the settlement currency without it."""
    rate: Annotated[list[str] | None, Parameter(group=_RUN)] = None
    """Of currencies that no instrument connects, as `EUR/USDT=1.08`; again for several."""
    start: Annotated[str | None, Parameter(group=_RUN)] = None
    """The strategy starts here, as `2024-08-08T12:00`, UTC; the book is built from before it."""
    end: Annotated[str | None, Parameter(group=_RUN)] = None
    """The run ends here."""
    feature: Annotated[list[str] | None, Parameter(group=_RUN)] = None
    """Feature to compute, as `ofi`; again for several."""
    bars: Annotated[list[str] | None, Parameter(group=_RUN)] = None
    """Bars that the kernel builds, as `1m`; again for several."""
    fill_model: Annotated[FillModel | None, Parameter(group=_VENUE)] = None
    """How orders are filled."""
    queue_model: Annotated[QueueModel | None, Parameter(group=_VENUE)] = None
    """How the queue in front of a resting order is estimated."""
    feed_latency: Annotated[str | None, Parameter(group=_VENUE)] = None
    """From the exchange to us, as `2ms`; as recorded without it."""
    decision_latency: Annotated[str | None, Parameter(group=_VENUE)] = None
    """Of the strategy, before its orders leave."""
    entry_latency: Annotated[str | None, Parameter(group=_VENUE)] = None
    """From us to the venue."""
    response_latency: Annotated[str | None, Parameter(group=_VENUE)] = None
    """From the venue back to us."""
    maker_fee: Annotated[Decimal | None, Parameter(group=_VENUE)] = None
    """Fraction of the traded value, in place of the instrument's; negative is a rebate."""
    taker_fee: Annotated[Decimal | None, Parameter(group=_VENUE)] = None
    """Fraction of the traded value, in place of the instrument's."""
    position_limit: Annotated[Decimal | None, Parameter(group=_VENUE)] = None
    """Largest absolute position, in units of the base."""

    def over(self, config: Config) -> Config:
        """`config` with these flags put over it.

        Raises:
            InvalidValue: a flag's value does not fit.
        """
        merged = config.model_copy()
        for flag, (table, key) in _PLACES.items():
            value = getattr(self, flag)
            if value is None:
                continue
            value = _rates(value) if flag == "rate" else value
            section = getattr(merged, table)
            try:
                whole = type(section).model_validate({**section.model_dump(), key: value})
            except ValidationError as error:
                message = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise InvalidValue(f"--{flag.replace('_', '-')}: {message}") from None
            setattr(merged, table, whole)
        return merged


def _rates(words: Sequence[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    if not all(name and value for name, _, value in pairs):
        raise InvalidValue(f"--rate {' '.join(words)!r}: write FROM/TO=number")
    return {name: value for name, _, value in pairs}


@dataclass(frozen=True)
class Job:
    """A run that is ready to start."""

    strategy: StrategyClass
    parameters: dict[str, Any]
    config: Config

    def settings(self) -> dict[str, Any]:
        """The keyword arguments of `ms.backtest` for this configuration.

        Raises:
            ConfigError: only one of the two fees is given.
        """
        config = self.config
        latency = {k: v for k, v in config.latency.model_dump().items() if v is not None}
        return {
            "venue": venue_of(config),
            "latency": Latency(**latency),
            **risk_settings(config),
            "cash": config.run.cash,
            "report_currency": config.run.report_currency,
            "rates": config.run.rates or None,
            "start_ns": None if config.run.start is None else to_ns(config.run.start),
            "end_ns": None if config.run.end is None else to_ns(config.run.end),
            "features": config.run.features,
            "bars": config.run.bars,
            "every": config.run.every,
            "sample": config.run.sample,
        }


def venue_of(config: Config) -> Venue:
    """How the simulated venue fills orders."""
    return Venue(**config.venue.model_dump())


def risk_settings(config: Config) -> dict[str, Any]:
    """What runs and sessions share: fees, limits, margin, stops, rules of execution.

    Raises:
        ConfigError: only one of the two fees is given.
    """
    return {
        "fees": _fees(config),
        "limits": config.limits.to_limits(),
        "reconcile": config.execution.rules(),
        "margin": None if config.margin is None else config.margin.to_margin(),
        "position_states": _states(config),
        "stops": [stop.to_stop() for stop in config.stops],
    }


def _states(config: Config) -> PositionStates | None:
    return None if config.position_states is None else config.position_states.to_states()


def _fees(config: Config) -> Fees | None:
    fees = config.fees
    if fees.maker is None and fees.taker is None:
        return None
    if fees.maker is None or fees.taker is None:
        missing = "maker" if fees.maker is None else "taker"
        raise ConfigError(f"fees: the {missing} fee is missing; give both, or neither")
    return Fees(maker=fees.maker, taker=fees.taker)


def prepare(words: Sequence[str], options: RunOptions) -> Job:
    """The strategy, its parameters and the configuration that the command line asks for.

    Raises:
        NotFoundError: no strategy is named, or it is not there.
        InvalidValue: a flag is unknown or its value does not fit.
        ConfigError: the configuration file is wrong.
    """
    config = options.over(load(options.config, words=options.words or ()).config)
    spec, flags = split_words(words)
    spec = spec or config.run.strategy
    if spec is None:
        raise NotFoundError(
            f"no strategy given: name path.py:Class, or write run.strategy into {FILE_NAME}"
        )
    strategy = strategy_file.load_strategy(spec)
    configured = config.parameters if _is_configured(strategy, spec, config) else {}
    parameters = {
        **strategy_file.checked(strategy, configured),
        **strategy_file.parse_assignments(strategy, options.param or ()),
        **strategy_file.parse_flags(strategy, flags),
    }
    missing = [
        strategy_file.flag_of(parameter)
        for name, parameter in strategy_file.parameters_of(strategy).items()
        if parameter.required and name not in parameters
    ]
    if missing:
        raise InvalidValue(f"{strategy.__name__} needs {', '.join(missing)}")
    return Job(strategy, parameters, config)


def _is_configured(strategy: StrategyClass, spec: str, config: Config) -> bool:
    """Whether the file's parameters are those of this strategy, not of another that it names."""
    named = config.run.strategy
    return named is None or named == spec or strategy_file.load_strategy(named) is strategy


def split_words(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The strategy, which comes first when it is given, and what follows it."""
    if words and not words[0].startswith("-"):
        return words[0], words[1:]
    return None, words


def extend_help(app: App, tokens: Sequence[str]) -> None:
    """Adds the strategy's own parameters to the verb's help when a strategy is named."""
    spec, _ = split_words([token for token in tokens if token not in ("--help", "-h")])
    if spec is None:
        return
    strategy = strategy_file.load_strategy(spec)
    lines = [f"Parameters of {strategy.__name__}:", ""]
    for parameter in strategy_file.parameters_of(strategy).values():
        default = "required" if parameter.required else f"default {parameter.default!r}"
        flag = strategy_file.flag_of(parameter)
        lines.append(f"* `{flag}` {type_name(parameter.kind)}, {default}")
    app.help_epilogue = "\n".join(lines)
