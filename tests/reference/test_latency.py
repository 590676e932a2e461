"""Latency of the reference engine against the numeric vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mainspring.reference import ConstantLatency, TableLatency
from mainspring.reference.vocabulary import RequestKind

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "backtest_realism.json"


def vectors(function: str) -> list[dict[str, Any]]:
    suite = json.loads(VECTORS.read_text())
    return [v for v in suite["vectors"] if v["fn"] == function]


def table(vector: dict[str, Any]) -> TableLatency:
    rows = vector["inputs"]["rows"]
    return TableLatency([(row["req"], row["exch"], row["resp"]) for row in rows])


@pytest.mark.parametrize("vector", vectors("latency_entry"), ids=lambda v: str(v["id"]))
def test_entry(vector: dict[str, Any]) -> None:
    latency = table(vector).entry_ns(vector["inputs"]["ts"], RequestKind.NEW)
    assert latency == vector["expected"]["latency"]


@pytest.mark.parametrize("vector", vectors("latency_response"), ids=lambda v: str(v["id"]))
def test_response(vector: dict[str, Any]) -> None:
    latency = table(vector).response_ns(vector["inputs"]["ts"], RequestKind.NEW)
    assert latency == vector["expected"]["latency"]


def test_constant_by_kind() -> None:
    latency = ConstantLatency(3, 5, cancel=(7, 11))
    assert latency.entry_ns(0, RequestKind.NEW) == 3
    assert latency.response_ns(0, RequestKind.AMEND) == 5
    assert (
        latency.entry_ns(9, RequestKind.CANCEL),
        latency.response_ns(9, RequestKind.CANCEL),
    ) == (
        7,
        11,
    )


def test_a_table_without_a_served_row_is_refused() -> None:
    with pytest.raises(ValueError, match="served"):
        TableLatency([(1, 0, 5)])
