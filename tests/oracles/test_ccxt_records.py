"""Recordings by ccxt: ccxt pro, unchanged but for its addresses, on the simulator."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from ccxt_clients import KINDS, SYMBOL, client
from mainspring.data import Recorder
from mainspring.exchange import VenueServer
from mainspring.live import CcxtFeed

pytestmark = pytest.mark.oracle

pro = pytest.importorskip("ccxt.pro", reason="ccxt.pro is not installed here")


def kind_of(message: Any) -> str:
    """What Binance calls an event, under its stream's name or without."""
    event = message.get("data", message) if isinstance(message, dict) else {}
    kind = event.get("e", "") if isinstance(event, dict) else ""
    return str(kind).replace("aggTrade", "trade")


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_and_a_backtest_over_it(tmp_path: Path, kind: str) -> None:
    with VenueServer(markets=("btcusdt",), warm_up_s=30, speed=5.0) as server:

        def made() -> Any:
            return client(pro, kind, server)

        feed = CcxtFeed("binance", [SYMBOL[kind]], client=made, name="by_ccxt")
        with Recorder(feed, root=tmp_path, name="tape", raw=True) as recorder:
            progress = recorder.wait(120, rows=2_000)
            assert progress.fresh, progress
    recording = recorder.stop()
    assert (recording.gaps, recording.broken) == (0, ""), progress
    data = ms.data.Catalog(tmp_path).get("tape")
    assert all(report.worst != "error" for report in data.check())
    assert data.instruments[0].symbol == SYMBOL[kind]
    kinds = {int(kind) for kind in data.read().to_numpy()["kind"]}
    # Depth, trades, and of perpetuals mark prices.
    assert kinds >= {1, 2} | ({6} if kind == "swap" else set())
    assert recording.raw is not None
    with gzip.open(recording.raw, "rt") as lines:
        heard = [json.loads(line.partition(" ")[2]) for line in lines]
    own = {kind_of(one) for one in heard}
    assert own >= {"depthUpdate", "trade"}, "what the venue itself sent"
    maker = ms.native.TouchMaker(size="0.02", max_position="0.2", every="20ms")
    result = ms.backtest(maker, data, cash=1_000_000)
    assert len(result.fills) > 0
