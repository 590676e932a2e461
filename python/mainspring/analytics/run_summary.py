"""All figures of a run in one object, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.analytics.calendar import (
    CRYPTO,
    DAY_NS,
    STEP_NAMES,
    Calendar,
    SteppedEquity,
    regular_step,
    step_equity,
)
from mainspring.analytics.execution_quality import (
    DEFAULT_HORIZONS_NS,
    FillFigures,
    LatencyFigures,
    OrderFigures,
    fill_detail,
    fill_figures,
    latency_figures,
    order_figures,
    run_markouts,
)
from mainspring.analytics.figures import Figures
from mainspring.analytics.formatting import duration
from mainspring.analytics.inventory import InventoryFigures, inventory_figures
from mainspring.analytics.performance import PerformanceMetrics, performance_metrics
from mainspring.analytics.risk import longest_underwater
from mainspring.analytics.run_data import (
    RunData,
    columns,
    quote_currency,
    report_currency,
    sampling_interval_ns,
    snapshot,
)
from mainspring.analytics.trades import Markout, TradeStatistics, round_trips, trade_statistics
from mainspring.errors import InvalidValue

MIN_DAYS_TO_ANNUALISE = 30


@dataclass(frozen=True, slots=True)
class MoneyFigures(Figures):
    """Where the profit came from, in the report currency. Fees are a cost when positive.

    ``pnl`` = ``realised`` + ``unrealised`` - ``fees`` + ``funding``. ``pnl_bps`` is over the value
    traded.
    """

    capital: float
    final_equity: float
    pnl: float
    realised: float
    unrealised: float
    fees: float
    funding: float
    pnl_bps: float | None


@dataclass(frozen=True, slots=True)
class DrawdownFigures(Figures):
    """The deepest fall of the sampled equity in money, and the deepest relative one.

    Times in ns since the epoch; ``recovery_ns`` is ``None`` when the peak was not reached again.
    ``longest_underwater_ns`` is from a peak to its recovery or to the end.
    """

    max_drawdown: float | None
    max_drawdown_money: float
    peak_ns: int
    trough_ns: int
    recovery_ns: int | None
    longest_underwater_ns: int


@dataclass(frozen=True, slots=True)
class Summary(Figures):
    """All figures of a run. ``conventions`` says how they were made; undefined is ``None``.

    ``short`` is why annual figures are withheld, ``None`` when they are not. Without returns
    (``returns`` is ``None``) the account had no capital or lost it all.
    """

    run_hash: str
    strategies: list[str]
    instruments: list[str]
    currency: str
    quote: str | None
    start_ns: int
    end_ns: int
    counts: dict[str, Any]
    money: MoneyFigures
    returns: PerformanceMetrics | None
    returns_step: str
    short: str | None
    drawdown: DrawdownFigures
    fills: FillFigures
    orders: OrderFigures
    round_trips: TradeStatistics
    markouts: list[Markout]
    inventory: list[InventoryFigures]
    latency: list[LatencyFigures]
    conventions: list[str]

    def to_json(self, indent: int | None = None) -> str:
        """The summary as one JSON object."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def to_text(self, width: int = 78) -> str:
        """The summary as plain text for a terminal of that width."""
        from mainspring.analytics.summary_text import summary_text

        return summary_text(self, width)

    def __str__(self) -> str:
        """The plain text."""
        return self.to_text()

    def __rich__(self) -> Any:
        """The summary as a rich renderable, which ``rich.print`` uses."""
        from mainspring.analytics.summary_text import summary_rich

        return summary_rich(self)


def summary(
    run: RunData,
    *,
    calendar: Calendar = CRYPTO,
    horizons_ns: Sequence[int] = DEFAULT_HORIZONS_NS,
    annualise_short: bool = False,
) -> Summary:
    """All figures of a run.

    Args:
        run: a finished run.
        calendar: what makes a year.
        horizons_ns: markout horizons in ns.
        annualise_short: annualise even a run of fewer than 30 days.

    Raises:
        InvalidValue: when the run has no equity sample.
    """
    run = snapshot(run)
    if not len(run.equity["time_ns"]):
        raise InvalidValue(f"run {run.hash}: there is no equity sample to measure")
    detail = fill_detail(run)
    value = float(detail.notional.sum())
    money = money_figures(run, value if quote_currency(run) else None)
    fills = fill_figures(run, detail, money.fees)
    stepped = stepped_equity(run, calendar)
    short = None if annualise_short else _too_short(run, calendar)
    returns = stepped.returns() if stepped is not None else None
    metrics = None
    if stepped is not None and returns is not None:
        periods = calendar.periods_per_year(stepped.step_ns)
        metrics = performance_metrics(returns, periods, not_annualised=short)
    return Summary(
        run_hash=run.hash,
        strategies=list(run.strategies),
        instruments=[str(i.get("symbol", n)) for n, i in enumerate(run.instruments)],
        currency=report_currency(run),
        quote=quote_currency(run),
        start_ns=int(run.span_ns[0]),
        end_ns=int(run.span_ns[1]),
        counts=dict(run.counts),
        money=money,
        returns=metrics,
        returns_step=STEP_NAMES[stepped.step_ns] if stepped is not None else "",
        short=short,
        drawdown=drawdown_figures(run, money.capital),
        fills=fills,
        orders=order_figures(run, fills.n),
        round_trips=trade_statistics(round_trips(columns(run.fills)).pnl),
        markouts=run_markouts(run, detail, horizons_ns),
        inventory=inventory_figures(run),
        latency=latency_figures(run),
        conventions=_conventions(calendar, stepped, metrics, short),
    )


def capital_of(run: RunData) -> float:
    """What the account started with: equity less everything earned until the first sample."""
    equity = columns(run.equity)
    earned = (
        equity["realised"][0] + equity["unrealised"][0] - equity["fees"][0] + equity["funding"][0]
    )
    return float(equity["equity"][0] - earned)


def money_figures(run: RunData, traded: float | None) -> MoneyFigures:
    """Profit and its parts at the end of the run; ``traded`` is the value traded, if comparable."""
    last = {name: float(values[-1]) for name, values in columns(run.equity).items()}
    pnl = last["realised"] + last["unrealised"] - last["fees"] + last["funding"]
    return MoneyFigures(
        capital=capital_of(run),
        final_equity=last["equity"],
        pnl=pnl,
        realised=last["realised"],
        unrealised=last["unrealised"],
        fees=last["fees"],
        funding=last["funding"],
        pnl_bps=pnl / traded * 1e4 if traded else None,
    )


def stepped_equity(run: RunData, calendar: Calendar = CRYPTO) -> SteppedEquity | None:
    """The run's equity on a regular calendar step, ``None`` without a start capital."""
    equity = columns(run.equity)
    capital = capital_of(run)
    if capital <= 0.0:
        return None
    time_ns = np.asarray(equity["time_ns"], dtype=np.int64)
    step = regular_step(int(time_ns[-1] - time_ns[0]), sampling_interval_ns(time_ns))
    values = np.asarray(equity["equity"], dtype=np.float64)
    return step_equity(time_ns, values, capital, step, continuous=calendar.continuous)


def drawdown_figures(run: RunData, capital: float) -> DrawdownFigures:
    """Drawdown of the equity as sampled, from the start capital on."""
    table = columns(run.equity)
    equity = np.concatenate(([capital], np.asarray(table["equity"], dtype=np.float64)))
    time_ns = np.concatenate(([run.span_ns[0]], table["time_ns"])).astype(np.int64)
    peaks = np.maximum.accumulate(equity)
    trough = int((equity - peaks).argmin())
    peak = int(equity[: trough + 1].argmax())
    back = np.flatnonzero(equity[trough:] >= equity[peak])
    return DrawdownFigures(
        max_drawdown=float((equity / peaks - 1.0).min()) if capital > 0 else None,
        max_drawdown_money=float(equity[trough] - peaks[trough]),
        peak_ns=int(time_ns[peak]),
        trough_ns=int(time_ns[trough]),
        recovery_ns=int(time_ns[trough + back[0]]) if len(back) else None,
        longest_underwater_ns=_longest_underwater_ns(time_ns, equity, peaks),
    )


def _longest_underwater_ns(
    time_ns: np.ndarray[Any, Any], equity: np.ndarray[Any, Any], peaks: np.ndarray[Any, Any]
) -> int:
    if not longest_underwater(equity):
        return 0
    at_peak = np.append(np.flatnonzero(equity >= peaks), len(equity) - 1)
    gaps = np.diff(time_ns[at_peak])
    under = (np.diff(at_peak) > 1) | (equity[at_peak[1:]] < peaks[at_peak[1:]])
    return int(gaps[under].max())


def _too_short(run: RunData, calendar: Calendar) -> str | None:
    span = run.span_ns[1] - run.span_ns[0]
    needed = MIN_DAYS_TO_ANNUALISE * DAY_NS
    if span >= needed:
        return None
    return (
        f"the run spans {duration(span)}; annual figures need {MIN_DAYS_TO_ANNUALISE} days "
        f"({calendar.name})"
    )


def _conventions(
    calendar: Calendar,
    stepped: SteppedEquity | None,
    metrics: PerformanceMetrics | None,
    short: str | None,
) -> list[str]:
    lines = []
    if stepped is None:
        lines.append("No returns: the account started without capital.")
    elif metrics is None:
        lines.append("No returns: the equity fell to zero or below.")
    else:
        lines.append(
            f"Returns: simple, of the equity every {STEP_NAMES[stepped.step_ns]} (UTC), "
            f"{metrics.n_periods} periods; the first and last may be cut short."
        )
        lines.append(
            f"Not annualised: {short}."
            if short
            else f"Annualised with {metrics.periods_per_year:g} periods a year ({calendar.name})."
        )
        lines.append(
            "Sharpe: mean / standard deviation (ddof 1), risk-free rate 0. Sortino: against 0."
        )
    lines.append("Drawdown: of the equity as sampled, from the start capital on.")
    lines.append(
        "Spread captured: side x (mid - price), mid when we learnt of the fill. Markout: the same "
        "with the last mid at or before the horizon; undefined past the end of the data."
    )
    lines.append("Round trips: flat to flat, realised profit less fees, without funding.")
    lines.append("Fill ratio: filled / ordered quantity, mean over orders.")
    return lines
