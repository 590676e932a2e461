"""What the models would have filled of a session's orders, beside what its venue did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mainspring import _core
from mainspring.backtesting.config import Latency, Venue


@dataclass(frozen=True, slots=True)
class Filled:
    """What was filled of an order.

    Attributes:
        lots: How much.
        price: Average price; None for nothing.
        maker_lots: How much of it as maker.
        first_ns: When the first of it was matched; None for nothing.
    """

    lots: int
    price: float | None
    maker_lots: int
    first_ns: int | None


@dataclass(frozen=True, slots=True)
class OrderFills:
    """An order that was sent, as the venue and as the models filled it.

    Attributes:
        order: Our id.
        strategy: Index of its strategy.
        symbol: The instrument.
        venue_name: Where it trades.
        side: ``buy`` or ``sell``.
        lots: What was asked for at first.
        sent_ns: When it was sent.
        venue: Filled by the venue.
        model: Filled by the models.
    """

    order: int
    strategy: int
    symbol: str
    venue_name: str
    side: str
    lots: int
    sent_ns: int
    venue: Filled
    model: Filled

    @property
    def same_lots(self) -> bool:
        """Whether venue and models filled as much."""
        return self.venue.lots == self.model.lots

    @property
    def price_difference(self) -> float | None:
        """How much better the models' average price was for us; None unless both filled."""
        if self.venue.price is None or self.model.price is None:
            return None
        sign = 1 if self.side == "buy" else -1
        return sign * (self.venue.price - self.model.price)


@dataclass(frozen=True, slots=True)
class ModelFills:
    """A session's orders as its venue and as the models filled them.

    Attributes:
        orders: Every order that was sent, by id.
    """

    orders: Sequence[OrderFills]

    @property
    def different(self) -> list[OrderFills]:
        """Orders of which not the same quantity was filled."""
        return [one for one in self.orders if not one.same_lots]

    def __str__(self) -> str:
        venue = sum(one.venue.lots for one in self.orders)
        model = sum(one.model.lots for one in self.orders)
        lines = [
            (
                f"{len(self.orders):,} orders; filled by the venue {venue:,} lots, by the models "
                f"{model:,}; {len(self.different):,} orders differ"
            )
        ]
        lines += [
            f"  order {one.order} {one.side} {one.lots} {one.symbol}: "
            f"venue {_text(one.venue)}, models {_text(one.model)}"
            for one in self.different[:10]
        ]
        return "\n".join(lines)


def _text(filled: Filled) -> str:
    return "nothing" if filled.price is None else f"{filled.lots} at {filled.price:g}"


def model_fills(
    folder: str | Path, *, fills: Venue | None = None, latency: Latency | None = None
) -> ModelFills:
    """Sends a session's recorded requests through the simulated venue over its market data.

    For a session against an outside venue: its fills are inputs of the journal, and a replay of its
    decisions says nothing about how good the models are. Here each order is put beside what queue,
    latency and fill models make of it.

    Args:
        folder: The session's folder.
        fills: Fill and queue models in place of the session's own configuration.
        latency: Latency from us to the venue, likewise. Without either the session's own is used.

    Raises:
        NotFoundError: The journal's beginning was archived, or there is no session.
    """
    config = None
    if fills is not None or latency is not None:
        venue = (fills or Venue()).to_engine()
        config = json.dumps({"venue": venue, **(latency or Latency()).to_engine()})
    found = json.loads(_core.session_model_fills(Path(folder), config))
    return ModelFills(
        [
            OrderFills(**{**one, "venue": Filled(**one["venue"]), "model": Filled(**one["model"])})
            for one in found
        ]
    )
