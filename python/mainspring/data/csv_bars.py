"""CSV files of bars as columns of text and numbers."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

from mainspring.errors import DataError, StorageError

_PLAIN = ("time", "open", "high", "low", "close", "volume")
_KLINES = (*_PLAIN, "close_time", "quote_volume", "trades", "taker_buy_base", "taker_buy_quote",
           "ignore")  # fmt: skip


def read_csv(path: Path) -> dict[str, list[Any]]:
    """The columns of a CSV file by name: numbers as floats, the time as it stands.

    Raises:
        DataError: the file is empty, or a line has a wrong number of cells or a cell that is no
            number; names the line.
        StorageError: the file cannot be read.
    """
    text = _text(path)
    lines = csv.reader(io.StringIO(text), delimiter=_separator(text))
    rows = ((number, row) for number, row in enumerate(lines, 1) if any(map(str.strip, row)))
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path}: the file is empty")
    has_header = not _is_number(first[1][1] if len(first[1]) > 1 else "")
    names = [cell.strip() for cell in first[1]] if has_header else _names(path, len(first[1]))
    columns: dict[str, list[Any]] = {name: [] for name in names}
    if len(columns) != len(names):
        raise DataError(f"{path}: two columns have the same name")
    if not has_header:
        _append(path, columns, *first)
    for number, row in rows:
        _append(path, columns, number, row)
    return {name: _numbers(values) for name, values in columns.items()}


def _append(path: Path, columns: dict[str, list[Any]], number: int, row: list[str]) -> None:
    if len(row) != len(columns):
        raise DataError(f"{path}: line {number} has {len(row)} cells, not {len(columns)}")
    for values, cell in zip(columns.values(), row, strict=True):
        values.append(cell.strip())


def _numbers(values: list[str]) -> list[Any]:
    """Floats when every cell is a number of fewer than 16 digits, the text otherwise."""
    try:
        if values and max(map(len, values)) > 15 and "." not in values[0]:
            return [int(value) for value in values]
        return [float(value) for value in values]
    except ValueError:
        return values


def _names(path: Path, cells: int) -> list[str]:
    for names in (_PLAIN, _KLINES):
        if cells == len(names):
            return list(names)
    raise DataError(f"{path}: has no header and {cells} columns; only 6 or 12 can be told apart")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _separator(text: str) -> str:
    head = text[: text.find("\n")] if "\n" in text else text
    return max(",;\t", key=head.count)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (OSError, EOFError) as error:
        raise StorageError(f"{path}: cannot be read: {error}") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not text in UTF-8: {error}") from error
