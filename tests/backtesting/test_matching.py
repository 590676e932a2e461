"""The matching engine as the venue of a backtest: order-level recordings, and flow that answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mainspring as ms
import pytest
from mainspring.data.dataset import Dataset
from mainspring.errors import ConfigError, NotFoundError

MATCHING = ms.Venue(fill_model="matching")


class Taker(ms.Strategy):
    """Buys once, at the market."""

    size: ms.Qty = "5"
    after_s: int = 60

    def on_start(self, market: ms.Market) -> None:
        market.set_timer(market.time_ns + self.after_s * 1_000_000_000)

    def on_timer(self, market: ms.Market, tag: int) -> None:
        market.buy(self.size, kind="market")


class Looker(ms.Strategy):
    """Keeps the mid price at every message."""

    def on_start(self, market: ms.Market) -> None:
        self.seen: list[tuple[int, float]] = []

    def on_book(self, market: ms.Market) -> None:
        self.seen.append((market.time_ns, market.mid))


@pytest.fixture(scope="module")
def orders() -> Dataset:
    return ms.sample("btcusdt", hours=0.05, seed=8, l3=True)


def test_without_orders_a_recording_is_seen_as_it_is(orders: Dataset) -> None:
    matched, estimated = Looker(), Looker()
    ms.backtest(matched, orders, venue=MATCHING)
    ms.backtest(estimated, orders)
    assert len(matched.seen) > 3_000
    assert matched.seen == estimated.seen


def test_a_maker_in_a_recording_is_filled_and_the_books_add_up(orders: Dataset) -> None:
    maker = ms.native.TouchMaker(size="0.01", max_position="0.1", every="100ms")
    run = ms.backtest(maker, orders, venue=MATCHING, fees=ms.Fees("-0.0001", "0.0004"))
    fills = run.fills.to_numpy()
    assert len(fills["price"]) > 20
    assert set(run.facts.engine["order_anomalies"].values()) == {0}
    assert run.equity.to_numpy()["equity"][-1] == pytest.approx(_equity_of(run), abs=1e-6)


def _equity_of(run: ms.Run) -> float:
    """The account at the last sample, from what each fill paid and what is held at the mid."""
    fills, positions = run.fills.to_numpy(), run.positions.to_numpy()
    bid, ask = positions["bid"][-1], positions["ask"][-1]
    held = float((fills["side"] * fills["qty"]).sum())
    paid = float((fills["side"] * fills["qty"] * fills["price"] + fills["fee"]).sum())
    assert held == pytest.approx(positions["position"][-1])
    return 100_000.0 - paid + held * (bid + ask) / 2


def test_flow_answers_to_a_taker_and_is_the_same_every_time() -> None:
    flow = ms.exchange.flow("btcusdt", hours=0.05, seed=4)
    quiet, loud, again = Looker(), Looker(), Looker()
    ms.backtest(quiet, flow)
    run = ms.backtest([loud, Taker(size="40")], flow)
    same = ms.backtest([again, Taker(size="40")], flow)
    assert run.hash == same.hash
    assert loud.seen == again.seen
    bought = run.fills.to_numpy()
    assert bought["qty"].sum() == pytest.approx(40.0)
    assert len(set(bought["price"])) > 3, "it walked the book"
    when = int(bought["exch_ns"][0])
    before = [one for one in quiet.seen if one[0] < when]
    assert before == [one for one in loud.seen if one[0] < when], "the same market until then"

    def mid_at(seen: list[tuple[int, float]], seconds: float) -> float:
        return [mid for time_ns, mid in seen if time_ns <= when + seconds * 1e9][-1]

    assert mid_at(loud.seen, 1) > mid_at(quiet.seen, 1)
    assert len(loud.seen) != len(quiet.seen), "agents act at other times after it"


def test_a_run_over_flow_is_stored_and_run_again(tmp_path: Path) -> None:
    maker = ms.native.TouchMaker(size="0.01", max_position="0.1", every="100ms")
    flow = ms.exchange.flow("btcusdt", hours=0.03, seed=2)
    run = ms.backtest(maker, flow, out=tmp_path / "run")
    assert len(run.fills) > 10
    assert ms.replay(tmp_path / "run").same
    assert ms.backtest(maker, ms.exchange.flow("btcusdt", hours=0.03, seed=3)).hash != run.hash
    page = run.report(tmp_path / "report.html").read_text()
    assert "btcusdt" in page.lower() or "BTC" in page


def test_a_run_over_flow_is_the_same_in_every_process() -> None:
    code = (
        "import mainspring as ms\n"
        "maker = ms.native.TouchMaker(size='0.01', max_position='0.1', every='100ms')\n"
        "print(ms.backtest(maker, ms.exchange.flow('btcusdt', hours=0.02, seed=5)).hash)\n"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(hashes) == 1
    assert hashes.pop().strip()


def test_what_cannot_be_matched_is_refused(market: Dataset) -> None:
    with pytest.raises(ConfigError, match="do not say who rests where"):
        ms.backtest(Looker(), market, venue=MATCHING)
    flow = ms.exchange.flow("btcusdt", hours=0.01)
    with pytest.raises(ConfigError, match="fill_model matching"):
        ms.backtest(Looker(), flow, venue=ms.Venue())
    with pytest.raises(ConfigError, match="no files"):
        ms.sweep(Taker, flow, {"size": ["1", "2"]})
    with pytest.raises(NotFoundError, match="there are"):
        ms.exchange.flow("nosuch")


class Bidder(ms.Strategy):
    """Joins the best bid once, and waits."""

    after_s: int = 30

    def on_start(self, market: ms.Market) -> None:
        market.set_timer(market.time_ns + self.after_s * 1_000_000_000)

    def on_timer(self, market: ms.Market, tag: int) -> None:
        market.buy(0.01, price=market.bid)


def test_a_fill_comes_when_the_recorded_queue_in_front_is_gone(orders: Dataset) -> None:
    run = ms.backtest(Bidder(), orders, venue=MATCHING, latency=ms.Latency("1ms", "1ms", feed=0))
    fills, states = run.fills.to_numpy(), run.orders.to_numpy()
    assert fills["qty"].sum() == pytest.approx(0.01)
    # An order is sent at its first state, and is at the venue a millisecond later.
    arrived = int(states["time_ns"][0]) + 1_000_000
    expected = _first_met(orders, arrived, int(fills["price_ticks"][0]))
    assert int(fills["exch_ns"][0]) == expected


def _first_met(orders: Dataset, arrived: int, price: int) -> int:
    """When somebody first met an order that stood behind a bid that came at `arrived`, or would
    have rested on the other side at its price: bookkeeping of the ids in front of it."""
    add, delete, execute, ask = 16, 18, 19, 2
    table = orders.read().to_numpy()
    ahead: set[int] = set()
    columns = (
        table[name].tolist() for name in ("kind", "exch_ns", "price_ticks", "flags", "order_id")
    )
    for kind, time_ns, at, flags, number in zip(*columns, strict=True):
        if kind == add and flags & ask and at <= price and time_ns >= arrived:
            return int(time_ns)
        if kind not in (add, delete, execute) or flags & ask:
            continue
        if time_ns < arrived:
            if kind == add and at == price:
                ahead.add(number)
        elif kind == execute and (at < price or (at == price and number not in ahead)):
            return int(time_ns)
    raise AssertionError("no taker came so far")
