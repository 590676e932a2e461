"""Runs under rules and rate budgets, and the lives of their orders."""

from __future__ import annotations

from typing import Any

import mainspring as ms
import numpy as np
import pytest
from mainspring.errors import ConfigError, NotFoundError
from mainspring.orders import ENDS, execution_status, lifecycle

HOURS = 0.05


def maker() -> Any:
    return ms.native.TouchMaker(size="0.01", max_position="0.05")


def run(reconcile: ms.Reconcile | None = None) -> ms.Run:
    return ms.backtest(maker(), ms.sample("btcusdt", hours=HOURS), reconcile=reconcile)


@pytest.fixture(scope="module")
def plain() -> ms.Run:
    return run()


def requests(result: ms.Run, *names: str) -> np.ndarray:
    """When requests of these states were made: the first record of each row of equal states."""
    codes = {name: int(code) for code, name in result.codes["state"].items()}
    orders = result.orders.to_numpy()
    order = np.lexsort((np.arange(len(orders["state"])), orders["order_id"]))
    ids, states, times = (orders[k][order] for k in ("order_id", "state", "time_ns"))
    again = np.zeros(len(ids), bool)
    again[1:] = (ids[1:] == ids[:-1]) & (states[1:] == states[:-1])
    return np.sort(times[np.isin(states, [codes[n] for n in names]) & ~again])


def most_in(times: np.ndarray, window_ns: int) -> int:
    first = np.searchsorted(times, times - window_ns, side="right")
    return int((np.arange(len(times)) - first).max()) + 1


def test_without_rules_nothing_of_them_is_left(plain: ms.Run) -> None:
    assert "reconcile" not in plain.facts.config
    assert plain.rounds is None


def test_a_rate_budget_is_never_exceeded(plain: ms.Run) -> None:
    names = ("submitted", "pending_cancel", "pending_replace")
    second = 10**9
    assert most_in(requests(plain, *names), second) > 12
    paced = run(ms.Reconcile(budgets=ms.RateBudget(requests=(12, "1s"), cancels=(5, "1s"))))
    assert most_in(requests(paced, *names), second) <= 12
    assert most_in(requests(paced, "pending_cancel"), second) <= 5
    assert paced.rounds is not None
    assert paced.rounds["deferred"] > 0
    assert paced.counts["fills"] > 0


def test_thresholds_amends_and_lives_are_configured_by_name(plain: ms.Run) -> None:
    rules = ms.Reconcile(
        price_threshold_bps="0.5",
        size_threshold_bps=100,
        amend={"*": "never", plain.instruments[0]["venue"]: "always"},
        min_life="100ms",
        max_life="10s",
        adaptive_life=ms.AdaptiveLife(volatility="ewma_volatility"),
        queue_growth=2.0,
        cross="rest",
        below_minimum="drop",
        max_actions=4,
        urgent=ms.Urgent(after="2s"),
        wait_for_cancel=True,
        replenish=True,
    )
    ruled = ms.backtest(
        maker(), ms.sample("btcusdt", hours=HOURS), reconcile=rules, features=["ewma_volatility"]
    )
    assert ruled.config["reconcile"]["price_threshold_bps"] == 0.5
    counts, before = ruled.counts, plain.counts
    assert counts["amends"] > 0
    assert counts["orders"] + counts["cancels"] + counts["amends"] < (
        before["orders"] + before["cancels"]
    )
    again = ms.backtest(
        maker(), ms.sample("btcusdt", hours=HOURS), reconcile=rules, features=["ewma_volatility"]
    )
    assert again.hash == ruled.hash


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (ms.Reconcile(min_life="5s", max_life="1s"), "longest life"),
        (ms.Reconcile(price_threshold_bps="x"), "price_threshold_bps"),
        (ms.Reconcile(budgets={"nowhere": ms.RateBudget(orders=(5, "1s"))}), "nowhere"),
        (ms.Reconcile(budgets=ms.RateBudget(orders=(5, "1s", 5))), "burst"),
        (ms.Reconcile(adaptive_life=ms.AdaptiveLife()), "max_life"),
        (ms.Reconcile(amend="sometimes"), "sometimes"),  # type: ignore[arg-type]
        (ms.Reconcile(min_life="soon"), "min_life"),
    ],
)
def test_rules_that_cannot_be_are_refused(rules: ms.Reconcile, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        run(rules)


class Names(ms.Strategy):
    """Buys, then cancels, and notes what it is told."""

    def on_start(self, m: ms.Market) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.order = 0

    def on_book(self, m: ms.Market) -> None:
        if not self.order:
            self.order = m.buy(0.01, m.bid - 50, post_only=True)
            m.set_timer(m.time_ns + 10**9)

    def on_timer(self, m: ms.Market, tag: int) -> None:
        m.cancel(self.order)

    def on_order(self, m: ms.Market, order: Any) -> None:
        self.told.append((order.state, order.execution_status, order.lifecycle))


def test_the_history_of_an_order_has_every_state_and_its_latencies() -> None:
    strategy = Names()
    latency = ms.Latency(entry="2ms", response="3ms", cancel=("4ms", "5ms"))
    result = ms.backtest(strategy, ms.sample("btcusdt", hours=0.01), latency=latency)
    history = result.order_history(strategy.order)
    states = [one.state for one in history.transitions]
    assert states == ["submitted", "open", "pending_cancel", "cancelled"]
    assert [one.reason for one in history.transitions] == ["", "", "", "requested"]
    assert history.acknowledge_latency_ns == 5_000_000
    assert history.cancel_latency_ns == 9_000_000
    assert history.lifetime_ns == sum(one.after_ns for one in history.transitions)
    assert (history.first_fill_ns, history.fills, history.anomalies) == (None, (), ())
    assert (history.side, history.order_type, history.is_over) == ("buy", "limit", True)
    assert (history.execution_status, history.lifecycle) == ("CANCELLED", "canceled")
    assert strategy.told == [("open", "SUBMITTED", "open"), ("cancelled", "CANCELLED", "canceled")]
    assert "cancelled (requested)" in str(history)
    with pytest.raises(NotFoundError, match="no order 999"):
        result.order_history(999)


def test_histories_agree_with_the_tables(plain: ms.Run) -> None:
    fills = plain.fills.to_numpy()
    orders = plain.orders.to_numpy()
    for order_id in np.unique(fills["order_id"])[:40].tolist():
        history = plain.order_history(order_id)
        assert sum(fill.qty_lots for fill in history.fills) == history.filled_lots
        assert len(history.transitions) == int((orders["order_id"] == order_id).sum())
        assert history.state in ENDS or not history.is_over
        assert history.first_fill_ns is not None
        assert history.first_fill_ns > 0


def test_names_of_states() -> None:
    assert execution_status("partially_filled", traded=True) == "PARTIAL"
    assert lifecycle("unknown", acknowledged=False) == "creating"
    assert lifecycle("cancelled", traded=True) == "partially_filled"
    with pytest.raises(ms.MainspringError, match="no order state"):
        execution_status("working")


def test_a_journal_tells_the_same_of_its_orders(tmp_path: Any) -> None:
    from mainspring import _core

    folder = tmp_path / "journal"
    _core.simulate_journal(folder, 3, 800)
    journal = ms.journal.open(folder)
    fills: dict[int, int] = {}
    last: dict[int, str] = {}
    strange = set()
    for record in journal.records(types=["order", "fill", "event"]):
        assert isinstance(record, ms.journal.Record)
        said = record.fields
        if record.name == "fill":
            fills[said["order_id"]] = fills.get(said["order_id"], 0) + said["qty_lots"]
        elif record.name == "order":
            last[said["order_id"]] = said["state"]
        elif said["event"] == "order_anomaly":
            strange.add(said["order"])
    assert len(fills) > 10
    chosen = [*list(fills)[:5], *list(strange & set(last))[:3]]
    for order_id in chosen:
        history = journal.order_history(order_id)
        assert (history.state, history.filled_lots) == (last[order_id], fills.get(order_id, 0))
        assert history.symbol == "BTCUSDT"
        assert history.anomalies or order_id not in strange
        assert history.created_ns <= history.transitions[-1].time_ns
    with pytest.raises(NotFoundError, match="no order"):
        journal.order_history(10**9)
