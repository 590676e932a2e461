"""From what a strategy wants to the fewest orders that get there.

What holds without rules of reconciling; thresholds, lives of orders and rate budgets
(`mainspring.backtesting.reconciling`) are the compiled engine's alone.
"""

from __future__ import annotations

from mainspring.reference.orders import Order, OrderState
from mainspring.reference.vocabulary import OrderTerms, OrderType, Side, TimeInForce

Action = int | OrderTerms
"""An order id to cancel, or the terms of an order to place."""


def reconcile_quotes(
    instrument: int,
    wanted: dict[Side, list[tuple[int, int]]],
    live: list[Order],
    *,
    post_only: bool,
) -> list[Action]:
    """Cancels first, then places, bids before asks.

    An order stands for a wanted level when price and whole quantity are equal. One whose cancel is
    on its way still occupies its price, so that nothing is ever placed twice at one price.
    """
    actions: list[Action] = []
    open_levels = {side: list(levels) for side, levels in wanted.items()}
    for order in live:
        cancelling = order.state is OrderState.PENDING_CANCEL
        level = _stands_for(order, open_levels[order.terms.side], cancelling=cancelling)
        if level is not None:
            open_levels[order.terms.side].remove(level)
        elif not cancelling:
            actions.append(order.id)
    for side in (Side.BUY, Side.SELL):
        for price, qty in open_levels[side]:
            actions.append(OrderTerms(side, qty, price, instrument, post_only=post_only))
    return actions


def _stands_for(
    order: Order, levels: list[tuple[int, int]], *, cancelling: bool
) -> tuple[int, int] | None:
    for price, qty in levels:
        if price == order.terms.price and (cancelling or qty == order.terms.qty):
            return price, qty
    return None


def reconcile_target(
    instrument: int, position: int, target: int, price: int | None, live: list[Order]
) -> list[Action]:
    """What is missing as one order, counting what is on its way."""
    side = Side.BUY if target >= position else Side.SELL
    missing = abs(target - position)
    actions: list[Action] = []
    for order in live:
        same_side = order.terms.side is side
        at_price = price is None or order.terms.price == price
        if order.state is OrderState.PENDING_CANCEL:
            # It may still fill: nothing is placed for its part until the venue has answered.
            if same_side:
                missing = max(0, missing - order.remaining)
        elif same_side and at_price and order.remaining <= missing:
            missing -= order.remaining
        else:
            actions.append(order.id)
    if missing > 0 and price is None:
        market = OrderTerms(side, missing, 0, instrument, OrderType.MARKET, TimeInForce.IOC)
        actions.append(market)
    elif missing > 0 and price is not None:
        actions.append(OrderTerms(side, missing, price, instrument))
    return actions
