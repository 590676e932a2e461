"""Event files as the reference engine reads them: the kernel's rows, and every damage found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from kernel_run import write_rows
from mainspring import reference
from mainspring.errors import DataError, NotFoundError
from mainspring.reference import Instrument, Row, RowKind, Side
from mainspring.reference.checksum import xxh3_64


def some_rows(count: int) -> list[Row]:
    sides, kinds = (Side.BUY, Side.SELL), (RowKind.DEPTH, RowKind.TRADE)
    return [
        Row(10**9 + n, 10**9 + n // 2, kinds[n % 3 == 2], sides[n % 2], 1_000 + n, n, 0, n % 4 == 0)
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [*range(1, 12), 31, 32, 33, 500])
def test_what_was_written_is_read(tmp_path: Path, count: int) -> None:
    """Chunks of 32 bytes and more: each way to reckon the checksum is taken."""
    path, rows = tmp_path / "rows.mse", some_rows(count)
    coarse = Instrument(symbol="X" * count, price_steps=((0, 1), (100_000, 5)), min_notional="5")
    write_rows(path, rows, [coarse])
    assert reference.read(path) == (rows, [coarse])


def test_a_file_of_several_chunks_has_the_rows_of_the_kernel() -> None:
    data = ms.sample("btcusdt", hours=0.5)
    rows, instruments = reference.read(data.paths[0])
    table = data.to_polars()
    assert len(rows) == data.rows > 65_536
    for name in ("recv_ns", "exch_ns", "price_ticks", "qty_lots"):
        assert [getattr(row, name) for row in rows] == table[name].to_list(), name
    assert instruments[0].tick == str(data.instruments[0].tick)


class Toucher(ms.Strategy):
    every = "1s"

    def on_book(self, m: Any) -> None:
        size = 0.01
        bid = [(m.bid, size)] if m.position < 0.05 else []
        ask = [(m.ask, size)] if m.position > -0.05 else []
        m.quote(bid=bid, ask=ask)


def test_a_run_over_a_file_has_the_fills_of_the_kernel() -> None:
    path = ms.sample("btcusdt", hours=0.02).paths[0]
    latency = ms.Latency(entry="1ms", response="1ms")
    venue = ms.Venue(queue_model="prob_power3")
    run = ms.backtest(Toucher, path, latency=latency, venue=venue, cash=1_000_000)
    ours = run.fills.to_polars()
    strategy = Toucher()
    config = reference.RunConfig(
        latency=reference.ConstantLatency(10**6, 10**6), deposits={"USDT": "1000000"}
    )
    theirs = reference.run(*reference.read(path), strategy, config).fills
    assert len(theirs) > 5
    for name in ("order_id", "exch_ns", "time_ns", "qty_lots", "price_ticks"):
        assert [getattr(fill, name) for fill in theirs] == ours[name].to_list(), name


def test_no_byte_changes_unseen(tmp_path: Path) -> None:
    path = tmp_path / "rows.mse"
    write_rows(path, some_rows(5), [Instrument()])
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(DataError, match=r"rows\.mse: "):
            reference.read(path)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"rows\.mse: "):
            reference.read(path)


def test_what_it_does_not_know_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no such file"):
        reference.read(tmp_path / "none.mse")
    gold = tmp_path / "gold.mse"
    write_rows(gold, some_rows(3), [Instrument()])
    whole = gold.read_bytes()
    for at, told in ((12, "order rows"), (8, "version 2")):
        other = bytearray(whole)
        other[at] = 2
        blank = bytes(other[:32]) + bytes(8) + bytes(other[40 : rows_begin(whole)])
        other[32:40] = xxh3_64(blank).to_bytes(8, "little")
        gold.write_bytes(other)
        with pytest.raises(DataError, match=told):
            reference.read(gold)


def rows_begin(whole: bytes) -> int:
    length = int.from_bytes(whole[24:32], "little")
    return (64 + length + 63) // 64 * 64
