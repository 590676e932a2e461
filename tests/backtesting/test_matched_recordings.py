"""Order-level recordings of venues on the matching engine, with our orders between their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import mainspring as ms
import numpy as np
import pytest
from mainspring.data.dataset import Dataset

ROOT = Path(__file__).resolve().parents[2]
MATCHING = ms.Venue(fill_model="matching")


class Source(NamedTuple):
    """A recording: file, format and options; size of our quotes in lots; what has to come of it."""

    file: str
    form: str
    options: dict[str, Any]
    size: int
    messages: int
    fills: int
    tells_takers: bool = False


RECORDINGS = {
    "lobster": Source(
        "lobster-aapl-2012/AAPL_2012-06-21_message_50_first40000.csv.gz",
        "lobster", {}, size=10, messages=30_000, fills=100,
    ),
    "bitstamp": Source(
        "bitstamp-l3-2015/2015-05-01_first2h.log.xz",
        "bitstamp", {}, size=5_000_000, messages=20_000, fills=20, tells_takers=True,
    ),
    # The sample is four kilobytes: mostly the directory of stocks.
    "itch": Source(
        "itch50-sample/sample_4096.itch",
        "itch50", {"date": "2019-12-30"}, size=10, messages=0, fills=0,
    ),
}  # fmt: skip


class Recorded(NamedTuple):
    """A recording that was imported."""

    data: Dataset
    size: int
    messages: int
    fills: int
    tells_takers: bool


class Looker(ms.Strategy):
    """Keeps the best prices at every message."""

    def on_start(self, market: ms.Market) -> None:
        self.seen: list[tuple[int, int | None, int | None]] = []

    def on_book(self, market: ms.Market) -> None:
        self.seen.append((market.time_ns, market.bid_ticks, market.ask_ticks))


@pytest.fixture(scope="module", params=RECORDINGS)
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    source = RECORDINGS[request.param]
    shared = Path(os.environ.get("MAINSPRING_SHARED", ROOT.parent / "shared"))
    file = shared / "data" / source.file
    if not file.is_file():
        if os.environ.get("MAINSPRING_REQUIRE_SHARED") == "1":
            pytest.fail(f"{file} is missing and MAINSPRING_REQUIRE_SHARED is set")
        pytest.skip(f"no {file}")
    out = tmp_path_factory.mktemp("recordings") / f"{request.param}.mse"
    data = ms.data.import_file(file, source.form, out=out, **source.options)
    return Recorded(data, source.size, source.messages, source.fills, source.tells_takers)


def test_without_us_a_recording_is_seen_as_it_is(recording: Recorded) -> None:
    matched, estimated = Looker(), Looker()
    ms.backtest(matched, recording.data, venue=MATCHING)
    ms.backtest(estimated, recording.data)
    if recording.tells_takers:
        # Bitstamp tells a taker as an order, and milliseconds later whom he met: here he meets him
        # at once, and what is told of it afterwards is not done again.
        ours, theirs = dict(_states(matched)), dict(_states(estimated))
        both = ours.keys() & theirs.keys()
        assert len(both) > 20_000
        assert sum(ours[time] == theirs[time] for time in both) > 0.999 * len(both)
    else:
        assert matched.seen == estimated.seen
    assert len(matched.seen) >= recording.messages


def _states(looker: Looker) -> list[tuple[int, tuple[int | None, int | None]]]:
    return [(time_ns, (bid, ask)) for time_ns, bid, ask in looker.seen]


def test_our_orders_trade_in_it_and_the_books_add_up(recording: Recorded) -> None:
    first = _run(recording.data, recording.size)
    fills = first.fills.to_numpy()
    assert len(fills["price"]) >= recording.fills
    assert set(first.facts.engine["order_anomalies"].values()) == {0}
    positions = first.positions.to_numpy()
    held = int((fills["side"] * fills["qty_lots"]).sum())
    assert held == positions["position_lots"][-1]
    # A quote of ours is met at its own price, never at a worse one.
    orders = {int(k): int(v) for k, v in zip(*_prices(first), strict=True)}
    for order, side, price, maker in zip(
        fills["order_id"], fills["side"], fills["price_ticks"], fills["maker"], strict=True
    ):
        limit = orders[int(order)]
        assert price == limit if maker else side * (limit - price) >= 0
    again = _run(recording.data, recording.size)
    for name, column in again.fills.to_numpy().items():
        assert np.array_equal(column, fills[name], equal_nan=column.dtype.kind == "f"), name


def _run(data: Dataset, size: int) -> ms.Run:
    lot = data.instruments[0].lot
    quotes = ms.native.TouchMaker(size=lot * size, max_position=lot * size * 10, every="1s")
    return ms.backtest(quotes, data, venue=MATCHING)


def _prices(run: ms.Run) -> tuple[Any, Any]:
    table = run.orders.to_numpy()
    return table["order_id"], table["price_ticks"]
