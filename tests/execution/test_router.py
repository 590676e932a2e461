"""The router from Python: vectors, and routes inside a strategy over two venues."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mainspring as ms
import pytest
from execution_vectors import vectors
from hypothesis import given, settings
from hypothesis import strategies as st
from mainspring.data.dataset import Dataset
from mainspring.errors import CapacityError, ConfigError
from mainspring.execution import RouteVenue, route


@pytest.mark.parametrize("vector", vectors("smart_route"))
def test_routes(vector: Any) -> None:
    asked, expected = vector["inputs"], vector["expected"]
    venues = {
        name: RouteVenue([tuple(level) for level in venue["levels"]], fee=venue["fee"])
        for name, venue in asked["venues"].items()
    }
    side = "buy" if asked["side"] == 1 else "sell"
    found = route(side, asked["qty"], venues, limit=asked["limit_all_in"])
    for name in ("filled", "unfilled", "notional", "fees", "all_in"):
        assert getattr(found, name) == pytest.approx(expected[name], rel=1e-9, abs=1e-9)
    assert found.average_price == pytest.approx(expected["avg_price"], rel=1e-9)
    assert found.average_all_in == pytest.approx(expected["avg_all_in"], rel=1e-9)
    shares = {name: share for name, share in expected["allocation"].items() if share}
    assert {part.venue: part.qty for part in found.parts} == pytest.approx(shares)
    for ours, theirs in zip(found.fills, expected["fills"], strict=True):
        assert ours[0] == theirs[0]
        assert ours[1:] == pytest.approx(theirs[1:])
    assert found.is_optimal


def test_smallest_orders_fixed_fees_and_budgets() -> None:
    venues = {
        "far": RouteVenue([("100", "5")]),
        "near": RouteVenue([("99", "1"), ("101", "5")], min_qty="2", fixed_fee="3"),
        "spent": RouteVenue([("90", "5")], orders_left=0),
    }
    found = route("buy", "4", venues)
    assert [(part.venue, part.qty) for part in found.parts] == [("far", 4.0)]
    assert found.all_in == 400.0
    two = route("sell", "2", {"a": RouteVenue([(10, 1)]), "b": RouteVenue([(9, 2)])}, max_orders=1)
    assert [(part.venue, part.qty) for part in two.parts] == [("b", 2.0)]


def test_what_cannot_be_routed_says_so() -> None:
    with pytest.raises(ConfigError, match="not a number"):
        route("buy", "much", {})
    with pytest.raises(ConfigError, match="decimals"):
        route("buy", 1e-15, {})
    with pytest.raises(CapacityError, match="16"):
        route("buy", 1, {str(i): RouteVenue([(1, 1)]) for i in range(17)})
    empty = route("buy", 1, {"a": RouteVenue([])})
    assert empty.unfilled == 1.0
    assert empty.parts == []


levels = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 4)), max_size=3)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(levels, st.integers(-20, 50), st.integers(0, 3)), min_size=1, max_size=3),
    st.integers(1, 6),
    st.sampled_from(["buy", "sell"]),
)
def test_no_split_is_better(books: Any, qty: int, side: str) -> None:
    sign = 1 if side == "buy" else -1
    venues = {}
    for i, (raw, fee, least) in enumerate(books):
        book = sorted({1000 + price: size for price, size in raw}.items(), reverse=sign < 0)
        venues[str(i)] = RouteVenue(book, fee=fee / 10_000, min_qty=least)

    def cost(venue: RouteVenue, take: int) -> float | None:
        if take == 0:
            return 0.0
        left, value = take, 0
        for price, size in venue.levels:
            part = min(left, int(size))
            left, value = left - part, value + part * int(price)
        if left or take < float(venue.min_qty):
            return None
        return sign * value + value * float(venue.fee)

    best = (0, 0.0)
    for split in itertools.product(range(qty + 1), repeat=len(venues)):
        if sum(split) <= qty:
            costs = [cost(v, n) for v, n in zip(venues.values(), split, strict=True)]
            if None not in costs:
                total = sum(c for c in costs if c is not None)
                best = max(best, (sum(split), -total))
    found = route(side, qty, venues)  # type: ignore[arg-type]
    assert found.filled == best[0]
    assert sign * found.all_in == pytest.approx(-best[1])


class Router(ms.Strategy, every="1s"):
    """Buys over both venues, once."""

    def on_start(self, m: ms.Market) -> None:
        self.route: Any = None
        self.dry: Any = None
        self.filled: dict[int, float] = {}

    def on_book(self, m: ms.Market) -> None:
        if self.route is None and m.time_ns % 60_000_000_000 < 2_000_000_000 and m.position == 0:
            self.dry = m.route("BTCUSDT", "buy", 12.0, send=False)
            levels = [
                (price, venue, qty)
                for venue in ("sample", "other")
                for price, qty in m[f"{venue}:BTCUSDT"].asks(100)
            ]
            self.merged = sorted(levels, key=lambda level: level[0])
            self.route = m.route("BTCUSDT", "buy", 12.0)
            self.only = m.route("BTCUSDT", "buy", 0.5, venues=["other"], send=False)
            with pytest.raises(ms.MainspringError, match="no venue nowhere"):
                m.route("BTCUSDT", "buy", 1.0, venues=["nowhere"])

        elif self.route is not None:
            first, other = m["sample:BTCUSDT"], m["other:BTCUSDT"]
            held = first.position + other.position
            assert m.net_position("BTCUSDT") == m.net_position("other:BTCUSDT")
            assert m.net_position("BTCUSDT") == pytest.approx(held)
            value = first.position * first.mid + other.position * other.mid
            assert m.net_exposure("BTCUSDT") == pytest.approx(value)
            self.net = m.net_position("BTCUSDT")

    def on_fill(self, m: ms.Market, fill: Any) -> None:
        self.filled[fill.order_id] = self.filled.get(fill.order_id, 0.0) + fill.qty


def test_a_strategy_routes_over_two_venues(two_venues: Dataset) -> None:
    strategy = Router()
    run = ms.backtest(strategy, two_venues, latency="1us")
    taken, dry = strategy.route, strategy.dry
    assert [part.order_id for part in dry.parts] == [None] * len(dry.parts)
    assert dry.filled == taken.filled == 12.0
    assert {part.venue for part in strategy.only.parts} == {"other"}
    left, expected = 12.0, []
    for ask, name, size in strategy.merged:
        # Whole lots of the venue: the other's are finer and take what the first's do not.
        lot = 0.001 if name == "sample" else 0.0001
        part = math.floor(min(left, size) / lot + 1e-6) * lot
        if part > 0.0:
            expected.append((name, pytest.approx(ask), pytest.approx(part)))
            left -= part
    assert dry.fills == expected
    assert sum(part.qty for part in taken.parts) == pytest.approx(12.0)
    for part in taken.parts:
        assert strategy.filled[part.order_id] == pytest.approx(part.qty), "nothing moved meanwhile"
    assert len(taken.parts) == 2
    assert strategy.net == pytest.approx(12.0)
    assert run.fills.shape[0] >= 2
