"""Event files read in plain Python: what the reference engine runs on where nothing is compiled.

The layout is that of docs/reference/event-files.md, and every checksum of it is looked at.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from mainspring.errors import DataError, NotFoundError
from mainspring.reference.checksum import xxh3_64
from mainspring.reference.vocabulary import Instrument, InstrumentKind, Row, RowKind, Side

MAGIC, END_MAGIC, VERSION = b"\x89MSE\r\n\x1a\n", b"MSE-END\n", 1
HEADER = struct.Struct("<8sIIIIQQ24x")
CHUNK = struct.Struct("<QQq4qQ")
TRAILER = struct.Struct("<8sQQQQQQQ")
ROW = struct.Struct("<qqqiBBH")
ALIGN = 64

SCHEMAS = {1: "market", 2: "order", 3: "bar"}
KINDS = {
    "spot": InstrumentKind.SPOT,
    "linear_perpetual": InstrumentKind.LINEAR,
    "linear_future": InstrumentKind.LINEAR,
    "inverse_perpetual": InstrumentKind.INVERSE,
    "inverse_future": InstrumentKind.INVERSE,
}
END_OF_MESSAGE, ASK, SNAPSHOT = 1, 2, 4


def read(path: str | PathLike[str]) -> tuple[list[Row], list[Instrument]]:
    """The rows and the instruments of an event file of market data, as `run` takes them.

    Each row takes some microseconds and 200 bytes of memory, which is for files of some hundred
    thousand rows.

    Raises:
        NotFoundError: There is no such file.
        DataError: It is no whole event file, or has what the reference engine does not know.
    """
    name = Path(path)
    try:
        data = name.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"{name}: there is no such file") from None
    try:
        return _parse(data)
    except DataError as fault:
        raise DataError(f"{name}: {fault}") from None


def _parse(data: bytes) -> tuple[list[Row], list[Instrument]]:
    rows_at, definitions = _header(data)
    instruments = [_instrument(definition) for definition in definitions]
    rows: list[Row] = []
    for number, (first, count, base, checksum) in enumerate(_chunks(data, rows_at)):
        begin = rows_at + first * ROW.size
        packed = data[begin : begin + count * ROW.size]
        _ensure(xxh3_64(packed) == checksum, f"chunk {number} is damaged (rows {first} and on)")
        rows.extend(_row(fields, base, len(instruments)) for fields in ROW.iter_unpack(packed))
    return rows, instruments


def _header(data: bytes) -> tuple[int, list[dict[str, Any]]]:
    """Where the rows begin, and the definitions of the instruments."""
    _ensure(data[:8] == MAGIC and len(data) >= 2 * ALIGN, "this is no event file")
    _, version, schema, row_bytes, count, length, checksum = HEADER.unpack_from(data)
    _ensure(version <= VERSION, f"version {version} is newer than {VERSION}, which is known here")
    rows_at = _padded(HEADER.size + length)
    blank = data[:32] + bytes(8) + data[40:rows_at]
    _ensure(len(data) > rows_at and xxh3_64(blank) == checksum, "its header is damaged")
    _ensure(
        schema == 1 and row_bytes == ROW.size,
        f"it holds {SCHEMAS.get(schema, 'unknown')} rows; the reference engine reads market rows",
    )
    definitions = json.loads(data[HEADER.size : HEADER.size + length])
    _ensure(len(definitions) == count, "its header counts its instruments wrongly")
    return rows_at, definitions


def _chunks(data: bytes, rows_at: int) -> Iterator[tuple[int, int, int, int]]:
    """First row, rows, price base and checksum of each chunk."""
    end = len(data) - TRAILER.size
    magic, index_at, count, _, rows, length, footer, checksum = TRAILER.unpack_from(data, end)
    whole = magic == END_MAGIC and length == len(data) and xxh3_64(data[end:-8]) == checksum
    _ensure(whole, "it is cut short, or was never finished")
    rows_end = rows_at + rows * ROW.size
    _ensure(
        rows_end <= index_at <= end and xxh3_64(data[rows_end:end]) == footer,
        "its index is damaged",
    )
    for number in range(count):
        first, held, base, *_, own = CHUNK.unpack_from(data, index_at + number * CHUNK.size)
        _ensure(first + held <= rows, f"chunk {number} lies outside of the rows")
        yield first, held, base, own


def _row(fields: tuple[int, ...], base: int, instruments: int) -> Row:
    recv_ns, exch_ns, qty_lots, offset, kind, flags, instrument = fields
    if not (RowKind.DEPTH <= kind <= RowKind.STATUS and instrument < instruments):
        raise DataError(
            f"the reference engine knows no rows of kind {kind} of instrument {instrument}"
        )
    return Row(
        recv_ns,
        exch_ns,
        RowKind(kind),
        Side.SELL if flags & ASK else Side.BUY,
        base + offset,
        qty_lots,
        instrument,
        bool(flags & END_OF_MESSAGE),
        bool(flags & SNAPSHOT),
    )


def _instrument(definition: dict[str, Any]) -> Instrument:
    grids = definition["grids"]
    grid = grids[-1]
    rules = {"fixed": [[0, 1]], "tiers": grid.get("steps")}
    _ensure(
        len(grids) == 1 and grid["rule"] in rules,
        f"the price grid of {definition['symbol']} is one that the reference engine does not know",
    )
    same = ("symbol", "base", "quote", "lot", "multiplier", "min_qty", "max_qty")
    more = ("min_notional", "maker_fee", "taker_fee")
    return Instrument(
        tick=grid["tick"],
        kind=KINDS[definition["kind"]],
        price_steps=tuple((first, step) for first, step in rules[grid["rule"]]),
        **{name: definition[name] for name in (*same, *more)},
    )


def _padded(length: int) -> int:
    return -(-length // ALIGN) * ALIGN


def _ensure(holds: bool, fault: str) -> None:
    if not holds:
        raise DataError(fault)
