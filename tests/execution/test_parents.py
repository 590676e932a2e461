"""Parent orders worked by strategies in backtests."""

from __future__ import annotations

from typing import Any

import mainspring as ms
import pytest
from mainspring.data.dataset import Dataset
from mainspring.execution import Plan, volume_curve

START = 20


class Worker(ms.Strategy, every="1s"):
    """Starts a plan, lets `act` do what it wants each second, and keeps what it hears."""

    def __init__(self, plan: Plan, act: Any = None) -> None:
        super().__init__()
        self.plan, self.act = plan, act
        self.seconds = 0
        self.parent: int | None = None
        self.shown: list[Any] = []
        self.children: dict[int, Any] = {}
        self.fills: list[Any] = []
        self.ended: list[Any] = []

    def on_book(self, m: ms.Market) -> None:
        self.seconds += 1
        if self.seconds == START:
            self.parent = m.execute(self.plan)
        if self.parent is None:
            return
        if self.act is not None:
            self.act(self, m)
        self.shown.append(m.parent(self.parent))

    def on_order(self, m: ms.Market, order: Any) -> None:
        if order.parent_id is not None:
            assert order.parent_id == self.parent
            self.children[order.id] = order

    def on_fill(self, m: ms.Market, fill: Any) -> None:
        assert fill.parent_id == self.parent
        self.fills.append(fill)

    def on_parent(self, m: ms.Market, parent: Any) -> None:
        self.ended.append(parent)


def work(data: Dataset, plan: Plan, act: Any = None, **options: Any) -> tuple[Worker, Any]:
    worker = Worker(plan, act)
    options.setdefault("latency", "2ms")
    return worker, ms.backtest(worker, data, **options)


def check(worker: Worker) -> Any:
    """What holds of every parent; returns it as it ended."""
    assert len(worker.ended) == 1
    parent = worker.ended[0]
    assert parent.is_over
    assert parent.time_left_ns in (0, None)
    assert sum(fill.qty for fill in worker.fills) == pytest.approx(parent.filled)
    assert sum(order.filled for order in worker.children.values()) == pytest.approx(parent.filled)
    assert parent.children == len(worker.children)
    if worker.fills:
        value = sum(fill.qty * fill.price for fill in worker.fills)
        assert parent.average_price == pytest.approx(value / parent.filled)
        sign = 1 if parent.side == "buy" else -1
        slippage = sign * (parent.average_price / parent.arrival_price - 1) * 1e4
        assert parent.slippage_bps == pytest.approx(slippage, abs=1e-6)
    return parent


PLANS = [
    ms.Twap("buy", "0.5", duration="3m", slices=18),
    ms.Twap("sell", 0.5, duration="3m", slices=18, style="join", at_end="cross"),
    ms.Twap("buy", 0.5, duration="3m", slices=18, style="join_then_take", at_end="cross"),
    ms.Vwap("sell", 0.4, duration="2m", curve=[5, 3, 2, 2, 3, 6], slices=6),
    ms.Pov("buy", 0.5, rate=0.2),
    ms.AlmgrenChriss(
        "sell", 0.5, duration="2m", slices=12, volatility=2.0, temporary=50.0, risk_aversion=1e-2
    ),
    ms.ImplementationShortfall("buy", 0.5, duration="2m", slices=12, half_life="20s"),
    ms.Iceberg("sell", 0.1, display=0.02),
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.kind}-{plan.style}")
def test_every_algorithm_fills_in_a_willing_market(market: Dataset, plan: Plan) -> None:
    worker, run = work(market, plan)
    parent = check(worker)
    assert parent.state == "filled"
    assert parent.algorithm == plan.kind
    assert parent.filled == pytest.approx(float(plan.qty))
    assert parent.progress == 1.0
    first = worker.shown[0]
    assert first.state == "working"
    assert first.filled == 0.0
    assert first.arrival_price == pytest.approx(first.mid)
    assert any(f"parent order {parent.id} ({plan.kind}" in text for _, text in run.messages)
    # The same again is the same, to the hash.
    again, rerun = work(market, plan)
    assert rerun.hash == run.hash
    assert again.ended[0].average_price == parent.average_price


def test_a_twap_is_on_its_schedule_at_every_second(market: Dataset) -> None:
    worker, _ = work(market, ms.Twap("buy", 0.6, duration="2m", slices=12))
    check(worker)
    for parent in worker.shown:
        if parent.state == "working":
            assert parent.filled <= parent.scheduled + 1e-9
            assert parent.scheduled == pytest.approx(0.05 * parent.slice)
    assert worker.shown[5].slice == 1
    assert worker.shown[15].slice == 2
    assert worker.shown[15].time_left_ns == 105 * 10**9


def test_a_shortfall_is_front_loaded(market: Dataset) -> None:
    plan = ms.ImplementationShortfall("buy", 0.7, duration="90s", slices=3, half_life="30s")
    worker, _ = work(market, plan)
    check(worker)
    due = [parent.scheduled for parent in worker.shown]
    assert (due[10], due[40], due[70]) == pytest.approx((0.4, 0.6, 0.7)), "4/7, 2/7, 1/7 of it"


def test_pov_never_exceeds_its_rate(market: Dataset) -> None:
    worker, _ = work(market, ms.Pov("buy", 1.0, rate=0.15, own_volume_counts=True))
    for parent in worker.shown:
        total = parent.market_volume + parent.filled
        assert parent.filled <= 0.15 * total + 1e-9


def test_a_participation_cap_binds(market: Dataset) -> None:
    plan = ms.Twap("buy", 50, duration="1m", slices=6, max_participation=0.1, at_end="cross")
    worker, _ = work(market, plan)
    for parent in worker.shown:
        assert parent.filled <= 0.1 * parent.market_volume + 1e-9
    parent = check(worker)
    assert parent.state == "expired"
    assert 0.0 < parent.filled < 50.0


def test_a_limit_out_of_reach_trades_nothing(market: Dataset) -> None:
    plan = ms.Twap("buy", 0.5, duration="1m", slices=6, limit=1_000.0, at_end="cross")
    worker, run = work(market, plan)
    parent = check(worker)
    assert (parent.state, parent.filled, parent.children) == ("expired", 0.0, 0)
    assert parent.missed_slices == 6
    shortfall = parent.shortfall()
    assert shortfall.trading == 0.0
    opportunity = (parent.mid - parent.arrival_price) * 0.5
    assert shortfall.opportunity == pytest.approx(opportunity, abs=1e-9)
    assert run.fills.shape[0] == 0


def test_pause_resume_and_cancel(market: Dataset) -> None:
    def act(worker: Worker, m: ms.Market) -> None:
        if worker.seconds == START + 15:
            m.pause_parent(worker.parent)
        if worker.seconds == START + 35:
            m.resume_parent(worker.parent)
        if worker.seconds == START + 50:
            m.cancel_parent(worker.parent)

    worker, _ = work(market, ms.Twap("sell", 1.2, duration="2m", slices=12, style="join"), act)
    parent = check(worker)
    assert parent.state == "cancelled"
    states = [shown.state for shown in worker.shown]
    assert states[20] == "paused"
    assert states[40] == "working"
    paused = [shown.filled for shown in worker.shown if shown.state == "paused"]
    assert len(set(paused[2:])) == 1, "nothing trades once its cancels are answered"
    assert not any(shown.open for shown in worker.shown if shown.state == "paused"[2:])


def test_children_pass_the_gate(market: Dataset) -> None:
    plan = ms.Twap("buy", 1.0, duration="10m", slices=1, retry="10ms")
    worker, _ = work(market, plan, limits=ms.Limits(max_order_qty="0.5"))
    parent = check(worker)
    assert (parent.state, parent.filled, parent.refusals) == ("failed", 0.0, 8)
    assert {order.state for order in worker.children.values()} == {"risk_rejected"}


def test_a_curve_from_data_drives_a_vwap(market: Dataset) -> None:
    curve = volume_curve(market, bins="10s", period="1h")
    worker, _ = work(market, ms.Vwap("buy", 1.0, duration="2m", slices=12, curve=curve))
    check(worker)
    start = worker.ended[0].started_ns
    weights = curve.weights(start, 120 * 10**9, 12)
    due = [shown.scheduled for shown in worker.shown[5:120:10]]
    expected = [sum(weights[: k + 1]) / sum(weights) for k in range(12)]
    assert due == pytest.approx(expected, abs=0.001)


def test_an_unknown_parent_is_a_key_error(market: Dataset) -> None:
    def act(worker: Worker, m: ms.Market) -> None:
        with pytest.raises(KeyError, match="none of this strategy"):
            m.parent(77)
        if worker.seconds == START + 1:
            assert [parent.id for parent in m.parents()] == [worker.parent]

    worker, _ = work(market, ms.Twap("buy", 0.1, duration="1m", slices=2), act)
    check(worker)


def test_cancel_all_ends_parents(market: Dataset) -> None:
    def act(worker: Worker, m: ms.Market) -> None:
        if worker.seconds == START + 5:
            m.cancel_all()

    worker, _ = work(market, ms.Iceberg("buy", 0.5, display=0.1, limit=1_000.0), act)
    assert check(worker).state == "cancelled"
