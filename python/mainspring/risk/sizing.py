"""How large a position should be, rounded down to the lot; equity is in the quote currency."""

from __future__ import annotations

import math
from collections.abc import Callable

from mainspring.analytics.risk import kelly_binary, kelly_continuous, vol_target_size
from mainspring.errors import InvalidValue


def _floor_to_lot(qty: float, lot: float) -> float:
    """`qty` in whole lots, a count that is whole but for rounding noise kept."""
    if not (math.isfinite(qty) and qty >= 0.0 and lot > 0.0):
        raise InvalidValue(f"a size of {qty} in lots of {lot} cannot be")
    lots = qty / lot
    nearest = round(lots)
    whole = nearest if abs(lots - nearest) < 1e-9 * max(1.0, lots) else math.floor(lots)
    return float(round(whole * lot, 12))


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0.0):
            raise InvalidValue(f"{name} is {value}; it must be positive")


def fixed(qty: float, *, lot: float) -> float:
    """Always the same quantity."""
    return _floor_to_lot(qty, lot)


def equity_fraction(equity: float, price: float, fraction: float, *, lot: float) -> float:
    """The quantity worth `fraction` of equity.

    Raises:
        InvalidValue: `price` or `lot` is not positive, or another figure is negative.
    """
    _positive(price=price)
    return _floor_to_lot(max(equity, 0.0) * fraction / price, lot)


def risk_per_stop(
    equity: float,
    entry: float,
    stop: float,
    risk: float,
    *,
    lot: float,
    max_leverage: float = math.inf,
) -> float:
    """The quantity that loses `risk` of equity at the stop: ``risk x equity / |entry - stop|``.

    Args:
        equity: What the account is worth.
        entry: Price of the entry.
        stop: Price of the stop, on either side.
        risk: Fraction of equity at risk.
        lot: Smallest step.
        max_leverage: Bound on the value over equity.

    Raises:
        InvalidValue: entry and stop are equal, or a figure is not positive.
    """
    _positive(entry=entry, distance=abs(entry - stop), risk=risk)
    if not max_leverage > 0.0:
        raise InvalidValue(f"max_leverage is {max_leverage}; it must be positive")
    equity = max(equity, 0.0)
    qty = equity * risk / abs(entry - stop)
    return _floor_to_lot(min(qty, equity * max_leverage / entry), lot)


def volatility_target(
    equity: float,
    price: float,
    annual_vol: float,
    target_vol: float,
    *,
    lot: float,
    max_leverage: float = 1.0,
) -> float:
    """The quantity whose annual volatility is `target_vol` of equity: ``min(target/vol, cap)``."""
    size = vol_target_size(
        max(equity, 0.0), price, annual_vol, target_vol, max_leverage=max_leverage, lot=lot
    )
    return size.qty


def fractional_kelly(
    equity: float,
    price: float,
    mean: float,
    variance: float,
    *,
    lot: float,
    fraction: float = 0.5,
    cap: float = 1.0,
) -> float:
    """The signed quantity of ``fraction x mean / variance`` of equity, within `cap` of it.

    Kelly (1956), A New Interpretation of Information Rate; continuous form by Merton (1969) and
    Thorp (2006). Mean and variance are those of the return of the same period.
    """
    _positive(price=price, fraction=fraction, cap=cap)
    leverage = max(-cap, min(cap, fraction * kelly_continuous(mean, variance)))
    qty = _floor_to_lot(max(equity, 0.0) * abs(leverage) / price, lot)
    return math.copysign(qty, leverage)


def binary_kelly(
    equity: float,
    price: float,
    win_probability: float,
    payoff: float,
    *,
    lot: float,
    fraction: float = 0.5,
    cap: float = 1.0,
) -> float:
    """The quantity of ``fraction x (p - (1 - p) / payoff)`` of equity; nothing without an edge."""
    _positive(price=price, fraction=fraction, cap=cap)
    share = min(cap, fraction * max(0.0, kelly_binary(win_probability, payoff)))
    return _floor_to_lot(max(equity, 0.0) * share / price, lot)


def drawdown_scaled(
    size: Callable[[float], float], equity: float, peak: float, max_drawdown: float, *, lot: float
) -> float:
    """A size that shrinks as equity falls: whole at its peak, nothing at `max_drawdown` below.

    Linear in between: ``size(equity) x (1 - drawdown / max_drawdown)``, so that what is risked goes
    to zero as the drawdown goes to its limit (Grossman and Zhou 1993).

    Args:
        size: The size at some equity, such as a `functools.partial` of another rule.
        equity: What the account is worth.
        peak: Its highest worth so far.
        max_drawdown: Fraction lost at which nothing is traded.
        lot: Smallest step.

    Raises:
        InvalidValue: `peak` or `max_drawdown` is not positive.
    """
    _positive(peak=peak, max_drawdown=max_drawdown)
    drawdown = max(0.0, 1.0 - equity / peak)
    factor = max(0.0, 1.0 - drawdown / max_drawdown)
    return _floor_to_lot(size(equity) * factor, lot)
