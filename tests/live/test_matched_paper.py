"""Paper sessions whose orders are in the book of the matching engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from live_sessions import until, wait_for
from mainspring.cli import main
from mainspring.errors import ConfigError
from mainspring.live import CcxtFeed, PaperVenue, Recording, VenueFeed, paper, parity, verify

MATCHING = ms.Venue(fill_model="matching")
MAKER = ms.native.TouchMaker(size="0.01", max_position="0.1", every="20ms")
OURS = 1 << 63
"""From here on are the engine's ids of our own orders."""


def fast(seed: int = 1, **more: Any) -> PaperVenue:
    return PaperVenue(speed=50, seed=seed, fills=MATCHING, **more)


class Maker(ms.Strategy, every="20ms"):
    size: ms.Qty = "0.01"
    max_position: ms.Qty = "0.1"

    def on_book(self, m):
        if m.bid is None or m.ask is None:
            return
        held = m.position
        bid = ((m.bid, self.size),) if held < self.max_position - 1e-9 else ()
        ask = ((m.ask, self.size),) if held > -self.max_position + 1e-9 else ()
        m.quote(bid=bid, ask=ask)


def trade(strategy: Any, folder: Path, venue: Any, fills: int) -> int:
    """A session until it has so many fills more; how many it has had in all."""
    with paper(strategy, folder, venue=venue) as session:
        before = session.status().fills
        wait_for(session, "more fills", lambda status: status.fills >= before + fills)
        outcome = session.stop()
    assert outcome.broken is None
    if strategy is MAKER:
        assert outcome.status.open_orders == 0, "what is cancelled at the end is not quoted again"
    return outcome.status.totals["fills"]


def assert_same(folder: Path, lives: int = 1, strategy: Any = None) -> None:
    found = parity(folder, strategy)
    assert found.same, found
    assert found.lives == lives
    assert found.fills > 0
    assert verify(folder).different == 0


def published(folder: Path) -> list[dict[str, Any]]:
    """Every row that the engine published of our own orders."""
    records = ms.journal.open(folder).records(types=["published"])
    rows = [row for record in records for row in record.fields["rows"]]
    return [row for row in rows if row["book_order"] >= OURS]


def test_a_native_strategy(tmp_path: Path) -> None:
    fills = trade(MAKER, tmp_path, fast(), 10)
    found = parity(tmp_path)
    assert found.same, found
    assert (found.lives, found.fills) == (1, fills)
    assert found.orders > fills
    kinds = {row["kind"] for row in published(tmp_path)}
    assert {"order_add", "order_execute"} <= kinds, "our orders are in the book, and trade there"


def test_a_python_strategy_on_its_worker(tmp_path: Path) -> None:
    trade(Maker(), tmp_path, fast(2), 10)
    assert_same(tmp_path)


def test_a_compiled_strategy(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    import mainspring.strategies.compiled as machine

    trade(machine.TouchMaker(size="0.01", max_position="0.1"), tmp_path, fast(3), 5)
    assert_same(tmp_path)


def test_several_venues_and_restarts(tmp_path: Path) -> None:
    for seed in (4, 5):
        venues = [fast(seed), fast(seed, name="late", delay="200ms")]
        trade([MAKER, Maker()], tmp_path, venues, 6)
    assert_same(tmp_path, 2, [MAKER, Maker()])


def test_a_recording_of_orders(tmp_path: Path) -> None:
    data = ms.sample("btcusdt", hours=0.05, l3=True)
    feed = Recording(data.files[0].path, speed=50, fills=MATCHING)
    with paper([MAKER, Maker()], tmp_path, venue=feed) as session:
        until("end of the recording", lambda: session.feeds_ended)
        session.stop()
    assert_same(tmp_path, 1, [MAKER, Maker()])
    kept = parity(tmp_path, [MAKER, Maker()], out=tmp_path / "feeds").feeds[0]
    again = ms.backtest(MAKER, ms.data.open(kept), venue=MATCHING)
    assert len(again.fills) > 0, "what was written is data for any matched backtest"


def test_a_killed_process_is_gone_on_with(tmp_path: Path) -> None:
    words = ["paper", "--fill-model", "matching", "--speed", "50", "--out", str(tmp_path)]
    child = subprocess.Popen(
        [sys.executable, "-m", "mainspring", *words], env=dict(os.environ),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until("fills", lambda: child.poll() is not None or len(fills_of(tmp_path)) >= 5, 120.0)
        assert child.poll() is None, child.communicate()[1]
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=60)
    before = len(fills_of(tmp_path))
    assert main([*words, "--seconds", "2", "--json"]) == 0
    assert main(["parity", str(tmp_path)]) == 0
    assert main(["replay", str(tmp_path), "--verify"]) == 0
    assert main(["state", str(tmp_path)]) == 0
    assert len(fills_of(tmp_path)) > before


def fills_of(folder: Path) -> list[Any]:
    try:
        return list(ms.journal.open(folder).records(types=["fill"]))
    except ms.errors.MainspringError:
        return []


def test_the_configuration_says_so_too(tmp_path: Path) -> None:
    file = tmp_path / "mainspring.toml"
    file.write_text('[venue]\nfill_model = "matching"\n')
    words = ["--config", str(file), "--speed", "50", "--seconds", "1"]
    assert main(["paper", "--out", str(tmp_path / "run"), *words]) == 0
    assert published(tmp_path / "run"), "our orders are in the book"


def test_levels_are_refused_with_what_to_do(tmp_path: Path) -> None:
    levels = ms.sample("btcusdt", hours=0.01).files[0].path
    refused = [
        Recording(levels, fills=MATCHING),
        PaperVenue(matched=False, fills=MATCHING),
        VenueFeed("binance_usdm", ["BTCUSDT"], url="http://127.0.0.1:1", fills=MATCHING),
        CcxtFeed("kraken", ["BTC/EUR"], fills=MATCHING),
    ]
    for at, feed in enumerate(refused):
        begun = time.monotonic()
        with pytest.raises(ConfigError, match="give generated flow or a recording of orders"):
            paper(MAKER, tmp_path / str(at), venue=feed)
        assert time.monotonic() - begun < 30
    mixed = [fast(), Recording(levels, name="levels")]
    with pytest.raises(ConfigError, match="levels do not say who rests where"):
        paper(MAKER, tmp_path / "mixed", venue=mixed)
