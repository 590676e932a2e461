"""Market makers that follow a model: Avellaneda-Stoikov and GLFT.

Both quote around the mid price, further away the more risk an order carries, and shift both quotes
against the inventory, so that the side which brings it back to zero is filled first. The model
reckons in quote currency, seconds, and inventory in multiples of `size`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mainspring import models
from mainspring.errors import ConfigError
from mainspring.strategies._checks import positive
from mainspring.strategy import Qty, Strategy

if TYPE_CHECKING:
    from mainspring import Market


class AvellanedaStoikov(Strategy):
    """The optimal quotes of Avellaneda and Stoikov (2008), with a horizon that moves along.

    Parameters:
        size: quantity of each quote.
        max_position: quotes a side only while the position on it is below this.
        gamma: risk aversion, per quote currency.
        sigma: volatility, price per square root of a second.
        k: decay of the fill intensity, per price.
        horizon_s: time over which inventory is a risk, seconds.
    """

    size: Qty
    max_position: Qty
    gamma: float
    sigma: float
    k: float
    horizon_s: float

    _half_spread: float = 0.0
    _size_lots: int = 0
    _max_lots: int = 0

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        positive(self, "size", "max_position", "gamma", "sigma", "k", "horizon_s")

    def on_start(self, m: Market) -> None:
        """Reckons once what does not change."""
        self._half_spread, _ = models.avellaneda_stoikov(
            gamma=self.gamma, sigma=self.sigma, k=self.k, inventory=0.0, time_left=self.horizon_s
        )
        self._size_lots = m.lots(self.size)
        self._max_lots = m.lots(self.max_position)

    def on_book(self, m: Market) -> None:
        """Quotes around the reservation price, never through the other side's best."""
        if math.isnan(m.mid):
            m.quote()
            return
        inventory = m.position_lots / self._size_lots
        shift = -inventory * self.gamma * self.sigma * self.sigma * self.horizon_s
        bid = min(m.mid - (self._half_spread - shift), m.ask - m.tick)
        ask = max(m.mid + (self._half_spread + shift), m.bid + m.tick)
        bids = ((bid, self.size),) if m.position_lots < self._max_lots else ()
        asks = ((ask, self.size),) if -m.position_lots < self._max_lots else ()
        m.quote(bid=bids, ask=asks)


class Glft(Strategy):
    """The closed-form quotes of Gueant, Lehalle and Fernandez-Tapia (2013), in one or more levels.

    Parameters:
        size: quantity of each level.
        max_position: quotes a side only while the position on it is below this.
        gamma: risk aversion, per quote currency.
        sigma: volatility, price per square root of a second.
        a: fill intensity at distance zero, per second.
        k: decay of the fill intensity, per price.
        levels: levels a side, 1 to 16.
        spacing_ticks: ticks between levels.
    """

    size: Qty
    max_position: Qty
    gamma: float
    sigma: float
    a: float
    k: float
    levels: int = 1
    spacing_ticks: int = 1

    _half_spread: float = 0.0
    _skew: float = 0.0
    _size_lots: int = 0
    _max_lots: int = 0

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        positive(self, "size", "max_position", "gamma", "sigma", "a", "k", "spacing_ticks")
        if not 1 <= self.levels <= 16:
            raise ConfigError(f"Glft: levels is {self.levels}; give 1 to 16")

    def on_start(self, m: Market) -> None:
        """Reckons the coefficients once."""
        self._half_spread, self._skew = models.glft_coefficients(
            gamma=self.gamma, sigma=self.sigma, a=self.a, k=self.k
        )
        self._size_lots = m.lots(self.size)
        self._max_lots = m.lots(self.max_position)

    def on_book(self, m: Market) -> None:
        """Quotes around the mid, skewed by inventory, never through the other side's best."""
        if math.isnan(m.mid):
            m.quote()
            return
        inventory = m.position_lots / self._size_lots
        bid = min(m.mid - (self._half_spread + self._skew * inventory), m.ask - m.tick)
        ask = max(m.mid + (self._half_spread - self._skew * inventory), m.bid + m.tick)
        step = self.spacing_ticks * m.tick
        bids = []
        asks = []
        for i in range(self.levels):
            if m.position_lots < self._max_lots:
                bids.append((bid - i * step, self.size))
            if -m.position_lots < self._max_lots:
                asks.append((ask + i * step, self.size))
        m.quote(bid=bids, ask=asks)
