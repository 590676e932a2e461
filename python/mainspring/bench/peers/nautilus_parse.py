"""nautilus_trader's Binance adapter over the messages of a file, one a line, to its own objects.

Depth updates are applied to its order book; best prices and trades become ticks. Prints the
nanoseconds of one message as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from nautilus_trader.adapters.binance.common.schemas.market import (
    BinanceAggregatedTradeData,
    BinanceOrderBookData,
    BinanceQuoteData,
)
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.enums import BookType
from nautilus_trader.model.identifiers import InstrumentId

INSTRUMENT = InstrumentId.from_str("BTCUSDT-PERP.BINANCE")


def readers() -> dict[bytes, Callable[[bytes], None]]:
    """What reads each kind of message, by a mark in it."""
    book = OrderBook(INSTRUMENT, BookType.L2_MBP)
    depth = msgspec.json.Decoder(BinanceOrderBookData)
    quote = msgspec.json.Decoder(BinanceQuoteData)
    trade = msgspec.json.Decoder(BinanceAggregatedTradeData)

    def on_depth(line: bytes) -> None:
        book.apply_deltas(depth.decode(line).parse_to_order_book_deltas(INSTRUMENT, 1))

    def on_quote(line: bytes) -> None:
        quote.decode(line).parse_to_quote_tick(INSTRUMENT, 1)

    def on_trade(line: bytes) -> None:
        trade.decode(line).parse_to_trade_tick(INSTRUMENT, 1)

    return {b'"depthUpdate"': on_depth, b'"bookTicker"': on_quote, b'"aggTrade"': on_trade}


def main() -> None:
    """Times the file three times and prints the fastest."""
    lines = Path(sys.argv[1]).read_bytes().split(b"\n")
    known = readers()
    pairs = [
        (read, line)
        for line in lines
        for mark, read in known.items()
        if line.startswith(b'{"e":' + mark)
    ]
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter_ns()
        for read, line in pairs:
            read(line)
        best = min(best, (time.perf_counter_ns() - begin) / max(len(pairs), 1))
    print(json.dumps({"ns_per_message": best, "messages": len(pairs)}))


if __name__ == "__main__":
    main()
