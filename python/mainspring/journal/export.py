"""A journal as a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from mainspring.journal.reading import BATCH, Journal, Record

TEXT = ("symbol", "venue", "side", "state", "reason", "report", "step", "text", "event", "command")
WHOLE = (
    "order_id",
    "strategy",
    "price_ticks",
    "qty_lots",
    "filled_lots",
    "position_lots",
    "trade_id",
)
NUMBERS = (
    "price",
    "qty",
    "fee",
    "realised",
    "unrealised",
    "equity",
    "fees",
    "funding",
)
"""Fields with a column of their own. Exact decimal text becomes the nearest float."""


def to_parquet(
    journal: Journal,
    path: str | PathLike[str],
    *,
    types: Iterable[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Writes the records that are committed now and returns how many they are.

    Columns: `sequence`, `time_ns`, `type`, `cause`; those of `TEXT`, `WHOLE` and `NUMBERS`, null
    where a record has no such field; `fields`, everything as JSON. The file appears when it is
    whole. Needs pyarrow (`pip install 'mainspring[data]'`).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = Path(fspath(path))
    partial = target.with_name(target.name + ".part")
    schema = pa.schema(
        [
            ("sequence", pa.uint64()),
            ("time_ns", pa.timestamp("ns", tz="UTC")),
            ("type", pa.dictionary(pa.int8(), pa.string())),
            ("cause", pa.uint64()),
            *((name, pa.string()) for name in TEXT),
            *((name, pa.int64()) for name in WHOLE),
            *((name, pa.float64()) for name in NUMBERS),
            ("fields", pa.string()),
        ]
    )
    rows = 0
    cursor = journal.cursor(types=types)
    try:
        with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            while found := cursor.read(16 * BATCH):
                records = [item for item in found if isinstance(item, Record)]
                columns = _columns(records)
                arrays = [pa.array(columns[field.name], field.type) for field in schema]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
                rows += len(records)
                if progress is not None:
                    progress(rows)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return rows


def _columns(records: list[Record]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "sequence": [record.sequence for record in records],
        "time_ns": [record.time_ns for record in records],
        "type": [record.name for record in records],
        "cause": [record.cause for record in records],
        "fields": [json.dumps(record.fields, separators=(",", ":")) for record in records],
    }
    for name in TEXT:
        columns[name] = [_text(record.fields.get(name)) for record in records]
    for name in WHOLE:
        columns[name] = [_whole(record.fields.get(name)) for record in records]
    for name in NUMBERS:
        columns[name] = [_number(record.fields.get(name)) for record in records]
    return columns


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return value if fits else None


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
