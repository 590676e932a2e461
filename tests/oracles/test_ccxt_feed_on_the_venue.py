"""Feeds by ccxt in paper sessions: ccxt pro, unchanged but for its addresses, on the simulator."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from ccxt_clients import KINDS, SYMBOL, client
from mainspring.exchange import VenueServer
from mainspring.live import CcxtFeed, paper, parity

pytestmark = pytest.mark.oracle

pro = pytest.importorskip("ccxt.pro", reason="ccxt.pro is not installed here")


@pytest.mark.parametrize("kind", KINDS)
def test_a_paper_session_on_what_ccxt_reads(tmp_path: Path, kind: str) -> None:
    maker = ms.native.TouchMaker(size="0.02", max_position="0.2", every="50ms")
    with VenueServer(markets=("btcusdt",), warm_up_s=30) as server:

        def made() -> Any:
            return client(pro, kind, server)

        feed = CcxtFeed("binance", [SYMBOL[kind]], client=made, name="by_ccxt")
        with paper(maker, tmp_path / "run", venue=feed) as session:
            begun = time.monotonic()
            while session.status().fills < 2:
                assert time.monotonic() - begun < 60, (session.status(), session.venues())
                time.sleep(0.02)
            (venue,) = session.venues()
            assert (venue.venue, venue.fresh) == ("by_ccxt", True)
            assert any("slower" in note["text"] for note in venue.notes)
            outcome = session.stop()
    assert outcome.broken is None
    assert parity(tmp_path / "run").same
