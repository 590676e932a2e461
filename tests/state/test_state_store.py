"""The state for readers: what the engine itself would say, whole at any moment, under load."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from mainspring import _core
from mainspring.errors import MainspringError, NotFoundError
from mainspring.events import JournalSource, OrderFilled, RiskTerms, replay
from mainspring.journal import Journal
from mainspring.simulation import write_journal
from mainspring.state import Snapshot, StateStore


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state") / "journal"
    write_journal(folder, 4, steps=800)
    return folder


def test_the_state_is_the_one_that_a_recovery_finds(journal: Path) -> None:
    newest = JournalSource(journal).newest
    with StateStore(journal) as store:
        assert store.wait(newest)
        snapshot = store.get_snapshot()
    wanted = Journal(journal).state()
    assert snapshot.sequence == wanted["sequence"] == newest
    assert snapshot.timestamp == wanted["time_ns"]
    assert snapshot.halted == wanted["halted"]
    assert list(snapshot.open_orders) == [one["order_id"] for one in wanted["orders"]]
    assert [str(one.size) for one in snapshot.positions] == [
        one["position"] for one in wanted["positions"]
    ]
    assert {name: str(one.equity) for name, one in snapshot.accounts.items()} == {
        name: one["equity"] for name, one in wanted["money"].items()
    }


def test_the_read_interface(journal: Path) -> None:
    with StateStore(journal, terms=RiskTerms(leverage=Decimal(5))) as store:
        assert store.wait(JournalSource(journal).newest)
        snapshot = store.get_snapshot()
        market = store.market_data()["BTCUSDT"]
        assert market.best_bid is not None
        assert market.best_ask is not None
        assert market.best_bid < market.best_ask
        assert market.mid_price == pytest.approx((market.best_bid + market.best_ask) / 2)
        assert market.spread_bps == pytest.approx(
            1e4 * (market.best_ask - market.best_bid) / market.mid_price
        )
        assert market.imbalance == pytest.approx(market.features["imbalance"])
        assert store.orders() == list(snapshot.open_orders.values())
        assert store.orders(is_buy=True) + store.orders(is_buy=False) != [None]
        assert store.order(10**9) is None
        assert store.positions() == snapshot.positions
        metrics = store.risk_metrics("USDT")
        assert metrics.account_equity == snapshot.accounts["USDT"].equity
        assert metrics.margin_used == metrics.position_value / 5
        assert metrics.margin_available <= metrics.account_equity * Decimal("0.8")
        assert 0 <= metrics.liquidation_distance <= 1
        assert snapshot.connections == {"simulated": True}
        assert snapshot.total_buy_remaining == sum(
            one.remaining_size for one in store.orders(is_buy=True)
        )


def fills_until(journal: Path) -> dict[int, int]:
    """The net position in lots after each record that is a fill, by sequence."""
    fills = replay(JournalSource(journal), types=[OrderFilled])
    return {one.sequence: one.position_lots for one in fills if isinstance(one, OrderFilled)}


def check_whole(snapshot: Snapshot) -> None:
    """What holds between two inputs and hardly ever in the middle of one."""
    for account in snapshot.accounts.values():
        parts = account.deposits + account.realised + account.unrealised
        assert account.equity == parts - account.fees + account.funding
    held = sum((one.realised - one.fees for one in snapshot.positions), Decimal(0))
    usdt = snapshot.accounts["USDT"]
    assert usdt.realised - usdt.fees == held
    for order in snapshot.open_orders.values():
        assert 0 <= order.filled < order.size
        assert order.updated_at <= snapshot.timestamp


def test_snapshots_are_whole_while_the_journal_is_written_at_full_speed(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    # A seed of one strategy: what a fill says of its position is the whole position.
    writing = threading.Thread(target=_core.simulate_journal, args=(folder, 16, 1_500, 40))
    writing.start()
    store = opened(folder)
    seen: list[list[Snapshot]] = [[] for _ in range(4)]
    stop = threading.Event()

    def read(into: list[Snapshot]) -> None:
        while not stop.is_set():
            into.append(store.get_snapshot(30))

    previous = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    readers = [threading.Thread(target=read, args=(into,)) for into in seen]
    try:
        with store:
            for reader in readers:
                reader.start()
            writing.join(60)
            newest = JournalSource(folder).newest
            assert store.wait(newest)
            time.sleep(0.05)
            stop.set()
            for reader in readers:
                reader.join(10)
    finally:
        sys.setswitchinterval(previous)
    positions = fills_until(folder)
    inputs = {record.sequence for record in Journal(folder).records() if is_input(record)}  # type: ignore[arg-type]
    for snapshots in seen:
        assert len(snapshots) > 10
        sequences = [one.sequence for one in snapshots]
        assert sequences == sorted(sequences)
        assert sequences[-1] == newest
    different = {one.sequence: one for snapshots in seen for one in snapshots}
    assert len(different) > 3, "the readers saw the state move"
    for sequence, snapshot in different.items():
        check_whole(snapshot)
        assert sequence + 1 in inputs or sequence == newest, "between two inputs"
        booked = [lots for at, lots in positions.items() if at <= sequence]
        lots = int(snapshot.position("BTCUSDT") * 1_000)
        assert lots == (booked[-1] if booked else 0)


def is_input(record: object) -> bool:
    return getattr(record, "cause", None) == getattr(record, "sequence", 0)


def opened(folder: Path) -> StateStore:
    """A store of a journal that is being made."""
    until = time.monotonic() + 30
    while True:
        try:
            store = StateStore(folder)
            if Journal(folder).sources.instruments:
                return store
        except MainspringError:
            pass
        assert time.monotonic() < until
        time.sleep(0.005)


def test_asking_is_quick_and_one_snapshot_serves_all(journal: Path) -> None:
    with StateStore(journal) as store:
        store.wait(JournalSource(journal).newest)
        first = store.get_snapshot()
        began = time.perf_counter()
        for _ in range(10_000):
            assert store.get_snapshot() is first
        assert time.perf_counter() - began < 2.0


def test_a_journal_that_is_not_there_and_a_store_that_is_closed(
    tmp_path: Path, journal: Path
) -> None:
    with pytest.raises(NotFoundError):
        StateStore(tmp_path / "absent")
    store = StateStore(journal)
    with store:
        store.get_snapshot()
    with pytest.raises(NotFoundError, match="closed"):
        store.wait(10**9)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [one for one in threading.enumerate() if one.name == "state-follower"]
