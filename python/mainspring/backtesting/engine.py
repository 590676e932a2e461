"""`ms.backtest`: strategies over event files, through the kernel."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mainspring import _core
from mainspring.backtesting.config import Fees, Latency, Limits, Number, RunSettings, Span, Venue
from mainspring.backtesting.flow import Flow
from mainspring.backtesting.identity import strategy_identity
from mainspring.backtesting.reconciling import Reconcile
from mainspring.backtesting.run import Run, RunFacts
from mainspring.backtesting.storage import PartialRun
from mainspring.errors import ConfigError, Interrupted, StrategyError
from mainspring.risk.positions import Margin, PositionStates
from mainspring.risk.stops import Stop
from mainspring.risk.validation import Validator
from mainspring.strategy.base import Feature, Strategy
from mainspring.strategy.native import Native
from mainspring.strategy.time_text import duration_ns

DEFAULT_FEATURES = ("mid", "spread_bps", "imbalance", "weighted_mid")
"""Always there: they are computed only when a strategy reads them."""

Progress = Callable[[int, int], None]
"""Called with the rows delivered so far and the logical time in nanoseconds."""


def backtest(
    strategy: Strategy | Native | type[Strategy] | Sequence[Strategy | Native],
    data: Any,
    *,
    venue: Venue | None = None,
    latency: Latency | Span | None = None,
    fees: Fees | None = None,
    limits: Limits | None = None,
    margin: Margin | None = None,
    position_states: PositionStates | None = None,
    stops: Sequence[Stop] = (),
    validator: Validator | None = None,
    reconcile: Reconcile | None = None,
    cash: Number | Mapping[str, Number] | None = None,
    report_currency: str | None = None,
    rates: Mapping[str, Number] | None = None,
    features: Sequence[Feature] = (),
    bars: Sequence[str] | str = (),
    every: Span | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
    sample: Span | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    on_error: Literal["raise", "stop"] = "raise",
) -> Run:
    """Runs one or several strategies over recorded market data.

    Args:
        strategy: A strategy, its class (with its default parameters), or several strategies.
        data: A data set (`ms.sample(...)`, `ms.data.open(...)`), a path of an event file, or
            several of these, which are merged by receive time; or `ms.exchange.flow(...)`:
            generated trading that answers to the strategy's orders.
        venue: How orders are filled.
        latency: How long requests and answers take; a span is the entry and the response alike.
        fees: In place of the instruments' own.
        limits: Risk limits; they can only tighten the build's.
        margin: Leverage; without it positions are not margined.
        stops: Stops that the engine holds for the strategies.
        validator: Is asked about every order that the limits let through.
        position_states: Shapes what the strategy wants by how full its position is.
        reconcile: Rules between wishes and orders; without them quotes are kept exactly as wished.
        cash: Money at the start, in the first instrument's settlement currency or by currency;
            100,000 without it.
        report_currency: Currency of the equity curve and of limits; the first instrument's
            settlement currency without it. What settles in others is valued at the mid prices of
            the run's instruments, over several where it takes them.
        rates: Of currencies that no instrument of the run connects, such as ``{"USDC/USDT": "1"}``:
            what one of the first is worth in the second.
        features: Features of every instrument, beside those that strategies name and the ones
            that cost nothing until they are read (`DEFAULT_FEATURES`), such as ``"ofi"`` or
            ``"ewma_volatility:halflife=60s"``, or what `ms.features.fit_microprice` gives.
        bars: Bars that the kernel builds beside those that strategies name, such as ``"1m"`` or
            ``"volume:10"``.
        every: Calls `on_book` at this interval, whatever the strategy says.
        start_ns: The strategy starts here; the book is built from the data before it.
        end_ns: The run ends here.
        sample: Interval of equity samples; chosen from the span without it.
        out: Folder that the run is stored in, written as a whole or not at all.
        progress: Called now and then with (rows, time_ns).
        on_error: ``raise`` raises `StrategyError` after the run when a strategy failed (its
            attribute ``run`` has the results so far); ``stop`` only notes it in `Run.failures`.

    Returns:
        The run: tables, metrics, report.

    Raises:
        ConfigError: A setting cannot be used.
        DataError, NotFoundError, StorageError: The data cannot be read, or results not written.
        StrategyError: A strategy failed; the message names its file and line.
        Interrupted: Ctrl-C; its attribute ``run`` has the results so far.
    """
    strategies = as_strategies(strategy)
    flow = data if isinstance(data, Flow) else None
    paths = data_paths(data) if flow is None else []
    settle = _settle(paths) if flow is None else flow.settlement()
    settings = RunSettings(
        venue=venue or Venue(fill_model="mainspring" if flow is None else "matching"),
        latency=_latency(latency),
        fees=fees,
        limits=limits or Limits(),
        margin=margin,
        position_states=position_states,
        stops=stops,
        validator=validator,
        cash=None if cash is None else _cash(cash, settle),
        report_currency=report_currency,
        rates=rates,
        features=wanted_features(strategies, features),
        bars=wanted_bars(strategies, (bars,) if isinstance(bars, str) else bars),
        start_ns=start_ns,
        end_ns=end_ns,
        sample=sample,
        reconcile=reconcile,
        flow=flow,
    )
    return execute(
        strategies, paths, settings.to_engine(settle),
        every=every, out=out, progress=progress, on_error=on_error,
    )  # fmt: skip


def execute(
    strategies: Sequence[Strategy | Native],
    paths: Sequence[Path],
    config: dict[str, Any],
    *,
    every: Span | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    on_error: Literal["raise", "stop"] = "raise",
) -> Run:
    """Runs with the engine's form of the configuration; `backtest` and `replay` come here."""
    triggers = [_trigger(one, every) for one in strategies]
    identities = [
        strategy_identity(one, trigger) for one, trigger in zip(strategies, triggers, strict=True)
    ]
    arguments = [
        (engine_form(one), trigger) for one, trigger in zip(strategies, triggers, strict=True)
    ]
    partial = PartialRun.create(out)
    started = time.perf_counter()
    try:
        log = _core.run_backtest(
            [str(path) for path in paths], json.dumps(config), arguments, Strategy,
            log_path=partial.log_path, progress=progress,
        )  # fmt: skip
        facts = RunFacts.of(log, config, identities, paths, time.perf_counter() - started)
        run = Run(log, facts)
        partial.finish(run)
    finally:
        partial.discard()
    return _judge(run, log, on_error)


def engine_form(strategy: Strategy | Native) -> Any:
    """What the engine runs: JSON of a native strategy, machine code, or the object itself."""
    if isinstance(strategy, Native):
        return strategy.to_engine()
    if not strategy._compiled:
        return strategy
    from mainspring.strategy.compiled import to_engine

    return to_engine(strategy)


def _judge(run: Run, log: Any, on_error: str) -> Run:
    """Raises for what went wrong on the way, with the results attached."""
    causes = log.exceptions()
    if log.ended is not None:
        error: Interrupted | StrategyError = Interrupted(f"the run was interrupted: {log.ended}")
        error.run = run
        raise error from (causes[-1] if causes else None)
    failed = [(name, why) for name, why in zip(run.strategies, log.failures, strict=True) if why]
    if failed and on_error == "raise":
        error = StrategyError("; ".join(f"strategy {name} stopped: {why}" for name, why in failed))
        error.run = run
        raise error from (causes[0] if causes else None)
    return run


def as_strategies(strategy: Any) -> list[Strategy | Native]:
    """One or several strategies as a list; classes become strategies with default parameters.

    Raises:
        ConfigError: When something else is among them.
    """
    several = (
        strategy if isinstance(strategy, Sequence) and not isinstance(strategy, str) else [strategy]
    )
    ready = []
    for one in several:
        made = one() if isinstance(one, type) and issubclass(one, Strategy) else one
        if not isinstance(made, Strategy | Native):
            raise ConfigError(f"{one!r} is not a strategy: give a ms.Strategy or one of ms.native")
        ready.append(made)
    if not ready:
        raise ConfigError("there is no strategy to run")
    return ready


def data_paths(data: Any) -> list[Path]:
    """The event files behind a data set, a path, or several of these.

    Raises:
        ConfigError: When it is something else.
    """
    if isinstance(data, str | Path):
        return [Path(data)]
    if isinstance(data, Flow):
        raise ConfigError(
            "generated flow has no files: it answers to one strategy, in ms.backtest; give "
            "ms.sample(...) here"
        )
    if hasattr(data, "paths"):
        return [Path(path) for path in data.paths]
    if isinstance(data, Sequence) and data:
        return [path for one in data for path in data_paths(one)]
    raise ConfigError(
        f"{data!r} is no market data: give ms.sample(...), ms.data.open(...) or a path"
    )


def _settle(paths: Sequence[Path]) -> str:
    instrument = json.loads(_core.file_instruments(str(paths[0])))[0]
    inverse = str(instrument["kind"]).startswith("inverse")
    return str(instrument["base" if inverse else "quote"])


def _cash(cash: Number | Mapping[str, Number], settle: str) -> Mapping[str, Number]:
    return cash if isinstance(cash, Mapping) else {settle: cash}


def wanted_features(
    strategies: Sequence[Strategy | Native], asked: Sequence[Feature]
) -> list[Feature]:
    """What is asked for, then the defaults of sorts that nobody asked for in another form."""
    declared = [f for one in strategies if isinstance(one, Strategy) for f in one.features]
    named: list[Feature] = []
    for feature in [*asked, *declared]:
        if feature not in named:
            named.append(feature)
    sorts = {_sort(feature) for feature in named}
    return [*named, *(f for f in DEFAULT_FEATURES if _sort(f) not in sorts)]


def _sort(feature: Feature) -> str:
    return feature.partition(":")[0] if isinstance(feature, str) else next(iter(feature), "")


def wanted_bars(strategies: Sequence[Strategy | Native], asked: Sequence[str]) -> list[str]:
    """The bars that are asked for and those that strategies declare."""
    declared = [b for one in strategies if isinstance(one, Strategy) for b in one.bars]
    return list(dict.fromkeys([*asked, *declared]))


def _latency(latency: Latency | Span | None) -> Latency:
    if latency is None:
        return Latency()
    return latency if isinstance(latency, Latency) else Latency(entry=latency, response=latency)


def _trigger(strategy: Strategy | Native, every: Span | None) -> str:
    return strategy.trigger if every is None else f"every:{duration_ns(every)}"
