"""Databento files that databento-dbn encodes, imported and compared with what it decodes."""

from __future__ import annotations

import datetime as dt
import inspect
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mainspring import Table
from mainspring.data import Dataset, RowKind, importers

pytestmark = pytest.mark.oracle

dbn = pytest.importorskip("databento_dbn", reason="databento-dbn is not installed here")

START = 1_700_000_000_000_000_000
TICK = 250_000_000  # in the format's units of 10^-9
APPLE = 17
VERSIONS = [1, 2, 3]


def header(schema: Any, version: int) -> bytes:
    """Metadata as the library encodes it; symbols are mapped by day."""
    day = SimpleNamespace(
        start_date=dt.date(2023, 11, 14), end_date=dt.date(2023, 11, 15), symbol=str(APPLE)
    )
    metadata = dbn.Metadata(
        dataset="XNAS.ITCH",
        start=START,
        stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID,
        schema=schema,
        symbols=["AAPL"],
        mappings=[SimpleNamespace(raw_symbol="AAPL", intervals=[day])],
        version=version,
    )
    return bytes(metadata)


def write(path: Path, schema: Any, version: int, records: list[Any]) -> Path:
    """The records here are alike in all versions of the format; the header is not."""
    path.write_bytes(header(schema, version) + b"".join(bytes(record) for record in records))
    return path


def decoded(path: Path) -> list[Any]:
    """The records as the library reads them."""
    decoder = dbn.DBNDecoder()
    decoder.write(path.read_bytes())
    return [record for record in decoder.decode() if not isinstance(record, dbn.Metadata)]


def imported(path: Path) -> Dataset:
    spec = {"tick": "0.25", "lot": "1"}
    data = importers.import_file(path, out=path.with_suffix(".mse"), instrument=spec, clock="keep")
    assert [one.symbol for one in data.instruments] == ["AAPL"]
    return data


def stamps(at: int) -> dict[str, int]:
    return {"ts_event": START + at * 1_000, "ts_recv": START + at * 1_000 + 500}


def side_of(side: Any) -> int:
    return {dbn.Side.BID: 1, dbn.Side.ASK: -1}[side]


def columns(table: Table, *names: str) -> list[tuple[int, ...]]:
    arrays = [np.asarray(table[name]).astype(np.int64).tolist() for name in names]
    return list(zip(*arrays, strict=True))


@pytest.mark.parametrize("version", VERSIONS)
def test_trades(tmp_path: Path, version: int) -> None:
    draw = Random(version)
    records = [
        dbn.TradeMsg(
            publisher_id=2,
            instrument_id=APPLE,
            price=(700 + draw.randrange(40)) * TICK,
            size=draw.randrange(1, 500),
            action=dbn.Action.TRADE,
            side=draw.choice([dbn.Side.BID, dbn.Side.ASK]),
            depth=0,
            flags=dbn.F_LAST,
            sequence=at,
            **stamps(at),
        )
        for at in range(200)
    ]
    path = write(tmp_path / "trades.dbn", dbn.Schema.TRADES, version, records)
    ours = columns(
        imported(path).read(), "recv_ns", "exch_ns", "kind", "side", "price_ticks", "qty_lots"
    )
    theirs = [
        (r.ts_recv, r.ts_event, RowKind.TRADE, side_of(r.side), r.price // TICK, r.size)
        for r in decoded(path)
    ]
    assert ours == theirs


def levels(draw: Random, count: int) -> list[Any]:
    """A book of `count` levels a side; some sides end early."""
    mid, gaps = 700 + draw.randrange(6), sorted(draw.sample(range(1, 25), count))
    shown = draw.randrange(count - 1, count + 1) if count > 1 else 1
    return [
        dbn.BidAskPair(
            bid_px=(mid - gap) * TICK if n < shown else dbn.UNDEF_PRICE,
            ask_px=(mid + gap) * TICK,
            bid_sz=draw.randrange(1, 90) if n < shown else 0,
            ask_sz=draw.randrange(1, 90),
            bid_ct=1,
            ask_ct=1,
        )
        for n, gap in enumerate(gaps)
    ]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("count", [1, 10])
def test_books_by_price(tmp_path: Path, version: int, count: int) -> None:
    draw = Random(version * count)
    message, schema = {
        1: (dbn.MBP1Msg, dbn.Schema.MBP_1),
        10: (dbn.MBP10Msg, dbn.Schema.MBP_10),
    }[count]
    records = [
        message(
            publisher_id=2,
            instrument_id=APPLE,
            price=700 * TICK,
            size=3,
            action=dbn.Action.MODIFY,
            side=dbn.Side.BID,
            depth=0,
            flags=dbn.F_LAST,
            sequence=at,
            levels=levels(draw, count) if count > 1 else levels(draw, count)[0],
            **stamps(at),
        )
        for at in range(150)
    ]
    path = write(tmp_path / "book.dbn", schema, version, records)
    rows = columns(imported(path).read(), "recv_ns", "kind", "side", "price_ticks", "qty_lots")
    assert {row[1] for row in rows} == {RowKind.BEST if count == 1 else RowKind.DEPTH}
    book: dict[int, dict[int, int]] = {1: {}, -1: {}}
    at = 0
    for record in decoded(path):
        while at < len(rows) and rows[at][0] == record.ts_recv:
            _, kind, side, price, qty = rows[at]
            if kind == RowKind.BEST:
                book[side].clear()
            book[side][price] = qty
            at += 1
        shown = {side: {p: q for p, q in book[side].items() if q} for side in book}
        assert shown[1] == {
            pair.bid_px // TICK: pair.bid_sz
            for pair in record.levels
            if pair.bid_px != dbn.UNDEF_PRICE
        }
        assert shown[-1] == {pair.ask_px // TICK: pair.ask_sz for pair in record.levels}
    assert at == len(rows)


def order_flow(draw: Random, count: int) -> list[Any]:
    """Orders that enter, change, are cancelled in part or whole, and a clear in the middle."""
    records, open_orders = [], dict[int, tuple[Any, int, int]]()

    def say(action: Any, order: int, side: Any, price: int, size: int) -> None:
        at = len(records)
        records.append(
            dbn.MBOMsg(
                publisher_id=2,
                instrument_id=APPLE,
                order_id=order,
                price=price * TICK,
                size=size,
                action=action,
                side=side,
                flags=dbn.F_LAST,
                sequence=at,
                **stamps(at),
            )
        )

    for order in range(1, count):
        if order == count // 2:
            say(dbn.Action.CLEAR, 0, dbn.Side.NONE, 0, 0)
            open_orders.clear()
        side = draw.choice([dbn.Side.BID, dbn.Side.ASK])
        price, size = 700 - side_of(side) * draw.randrange(1, 9), draw.randrange(1, 99)
        say(dbn.Action.ADD, order, side, price, size)
        open_orders[order] = (side, price, size)
        known = draw.choice(list(open_orders))
        side, price, size = open_orders[known]
        if draw.random() < 0.3:
            price, size = price - side_of(side), draw.randrange(1, 99)
            say(dbn.Action.MODIFY, known, side, price, size)
            open_orders[known] = (side, price, size)
        elif draw.random() < 0.5:
            part = draw.randrange(1, size + 1)
            say(dbn.Action.CANCEL, known, side, price, part)
            open_orders[known] = (side, price, size - part)
            if part == size:
                del open_orders[known]
    return records


def follow_orders(records: list[Any]) -> dict[int, tuple[int, int, int]]:
    """What is open at the end: the library's records taken one by one."""
    book: dict[int, tuple[int, int, int]] = {}
    for r in records:
        if r.action == dbn.Action.CLEAR:
            book.clear()
        elif r.action in (dbn.Action.ADD, dbn.Action.MODIFY):
            book[r.order_id] = (side_of(r.side), r.price // TICK, r.size)
        elif r.action == dbn.Action.CANCEL:
            side, price, size = book.pop(r.order_id)
            if size > r.size:
                book[r.order_id] = (side, price, size - r.size)
    return book


def follow_rows(table: Table) -> dict[int, tuple[int, int, int]]:
    """The same from the imported rows."""
    book: dict[int, tuple[int, int, int]] = {}
    for kind, order, side, price, qty in columns(
        table, "kind", "order_id", "side", "price_ticks", "qty_lots"
    ):
        if kind == RowKind.CLEAR:
            book.clear()
        elif kind == RowKind.ORDER_DELETE:
            del book[order]
        else:
            assert kind in (RowKind.ORDER_ADD, RowKind.ORDER_MODIFY)
            book[order] = (side, price, qty)
    return book


@pytest.mark.parametrize("version", VERSIONS)
def test_books_by_order(tmp_path: Path, version: int) -> None:
    records = order_flow(Random(version), 400)
    path = write(tmp_path / "orders.dbn", dbn.Schema.MBO, version, records)
    data = imported(path)
    assert data.schema == "order"
    theirs = follow_orders(decoded(path))
    assert len(theirs) > 20
    assert follow_rows(data.read()) == theirs


@pytest.mark.parametrize("version", VERSIONS)
def test_bars(tmp_path: Path, version: int) -> None:
    draw = Random(version)
    records = []
    for minute in range(60):
        low, high = sorted(draw.sample(range(690, 720), 2))
        prices = [draw.randint(low, high), high, low, draw.randint(low, high)]
        names = ("open", "high", "low", "close")
        records.append(
            dbn.OHLCVMsg(
                rtype=dbn.RType.OHLCV_1M,
                publisher_id=2,
                instrument_id=APPLE,
                ts_event=START + minute * 60_000_000_000,
                volume=draw.randrange(10_000),
                **{name: p * TICK for name, p in zip(names, prices, strict=True)},
            )
        )
    path = write(tmp_path / "bars.dbn", dbn.Schema.OHLCV_1M, version, records)
    fields = ("open_ns", "open_ticks", "high_ticks", "low_ticks", "close_ticks", "volume_lots")
    ours = columns(imported(path).read(), *fields)
    theirs = [
        (r.ts_event, *(p // TICK for p in (r.open, r.high, r.low, r.close)), r.volume)
        for r in decoded(path)
    ]
    assert ours == theirs


def definition(version: int) -> Any:
    """A definition of a future whose point is worth 50, as each version of the format has it."""
    cls = {1: dbn.InstrumentDefMsgV1, 2: dbn.InstrumentDefMsgV2, 3: dbn.InstrumentDefMsg}[version]
    texts = ("secsubtype", "group", "exchange", "asset", "cfi", "security_type", "unit_of_measure",
             "underlying", "strike_price_currency", "settl_currency")  # fmt: skip
    given = {
        **dict.fromkeys(texts, ""),
        "publisher_id": 1,
        "instrument_id": APPLE,
        "min_price_increment": TICK,
        "unit_of_measure_qty": 50_000_000_000,
        "currency": "EUR",
        "raw_symbol": "AAPL",
        "instrument_class": dbn.InstrumentClass.FUTURE,
        "match_algorithm": dbn.MatchAlgorithm.FIFO,
        "security_update_action": dbn.SecurityUpdateAction.ADD,
        "user_defined_instrument": dbn.UserDefinedInstrument.NO,
        **stamps(0),
    }
    wanted = inspect.signature(cls).parameters.values()
    needed = {one.name: 0 for one in wanted if one.default is inspect.Parameter.empty}
    known = {name: value for name, value in given.items() if name in {one.name for one in wanted}}
    return cls(**{**needed, **known})


@pytest.mark.parametrize("version", VERSIONS)
def test_definitions(tmp_path: Path, version: int) -> None:
    defined = write(tmp_path / "d.dbn", dbn.Schema.DEFINITION, version, [definition(version)])
    trade = dbn.TradeMsg(
        publisher_id=2, instrument_id=APPLE, price=700 * TICK, size=3, action=dbn.Action.TRADE,
        side=dbn.Side.BID, depth=0, flags=dbn.F_LAST, sequence=1, **stamps(1),
    )  # fmt: skip
    traded = write(tmp_path / "t.dbn", dbn.Schema.TRADES, version, [trade])
    data = importers.import_file([traded, defined], out=tmp_path / "a.mse")
    (one,) = data.instruments
    assert (one.symbol, str(one.tick), str(one.multiplier)) == ("AAPL", "0.25", "50")
    assert one.quote == "EUR"
