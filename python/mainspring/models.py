"""Closed forms of the quoting models, reckoned by the engine itself.

What a Python strategy computes with these equals what the native strategies compute, to the bit.
Prices are in quote currency, time in seconds, inventory in multiples of the order size.
"""

from __future__ import annotations

from mainspring import _core


def avellaneda_stoikov(
    *, gamma: float, sigma: float, k: float, inventory: float, time_left: float
) -> tuple[float, float]:
    """Distances of the optimal bid and ask from the mid price.

    With `q` the inventory and `T - t` the time left: half the spread is
    ``gamma sigma^2 (T - t) / 2 + ln(1 + gamma / k) / gamma`` and both quotes shift by
    ``-q gamma sigma^2 (T - t)``. Avellaneda and Stoikov (2008), High-frequency trading in a limit
    order book, Quantitative Finance 8(3), eqs. 3.3 and 3.12.

    Args:
        gamma: risk aversion, per quote currency.
        sigma: volatility, price per square root of a second.
        k: decay of the fill intensity, per price.
        inventory: signed, in multiples of the order size.
        time_left: `T - t`, seconds.

    Returns:
        (bid, ask): how far below and above the mid, in quote currency.
    """
    return _core.avellaneda_stoikov(
        gamma=gamma, sigma=sigma, k=k, inventory=inventory, time_left=time_left
    )


def glft_coefficients(
    *,
    gamma: float,
    sigma: float,
    a: float,
    k: float,
    order_size: float = 1.0,
    xi: float | None = None,
) -> tuple[float, float]:
    """Half spread and skew of the stationary quotes.

    The bid lies ``half + skew q`` below the mid, the ask ``half - skew q`` above it.

    Gueant, Lehalle and Fernandez-Tapia (2013), Dealing with the inventory risk, Mathematics and
    Financial Economics 7, closed-form approximation; with an order size: Gueant (2017), Optimal
    market making, eqs. 4.6 and 4.7.

    Args:
        gamma: risk aversion, per quote currency.
        sigma: volatility, price per square root of a second.
        a: fill intensity at distance zero, per second.
        k: decay of the fill intensity, per price.
        order_size: size of an order in units of `q`.
        xi: aversion to the risk of not being filled; `gamma` without it.

    Returns:
        (half spread, skew per unit of inventory), in quote currency.
    """
    return _core.glft_coefficients(
        gamma=gamma, sigma=sigma, a=a, k=k, order_size=order_size, xi=gamma if xi is None else xi
    )
