"""Paper sessions run again as backtests: the same decisions, orders and fills, to the bit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from mainspring.cli import main
from mainspring.cli.exits import Exit
from mainspring.cli.strategy_file import load_strategy
from mainspring.errors import MismatchError, NotFoundError
from mainspring.live import PaperVenue, Recording, paper, parity, shadow, verify
from mainspring.simulation import write_journal

MAKER = ms.native.TouchMaker(size="0.01", max_position="0.1", every="20ms")


def fast(seed: int = 1, **more: Any) -> PaperVenue:
    return PaperVenue(speed=50, seed=seed, **more)


class Maker(ms.Strategy, every="20ms"):
    size: ms.Qty = "0.01"
    max_position: ms.Qty = "0.1"
    calls: int = 0

    def on_book(self, m):
        self.calls += 1
        if m.bid is None or m.ask is None:
            return
        held = m.position
        bid = ((m.bid, self.size),) if held < self.max_position - 1e-9 else ()
        ask = ((m.ask, self.size),) if held > -self.max_position + 1e-9 else ()
        m.quote(bid=bid, ask=ask)

    def on_fill(self, m, fill):
        if self.calls % 7 == 0:
            m.buy(self.size) if m.position < 0 else m.sell(self.size)


def trade(strategy: Any, folder: Path, venue: Any, fills: int) -> int:
    """A session until it has so many fills more; how many it has had in all."""
    with paper(strategy, folder, venue=venue) as session:
        begun, before = time.monotonic(), session.status().fills
        while session.status().fills < before + fills:
            assert time.monotonic() - begun < 60, session.status()
            assert not session.has_ended, session.entries
            time.sleep(0.01)
        outcome = session.stop()
    assert outcome.broken is None
    return outcome.status.totals["fills"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_native_strategy(tmp_path: Path, seed: int) -> None:
    fills = trade(MAKER, tmp_path, fast(seed), 10)
    found = parity(tmp_path)
    assert found.same, found
    assert (found.lives, found.fills, found.feeds) == (1, fills, ())
    assert found.decisions > 5
    assert found.orders > fills
    assert found.rows > 100


@pytest.mark.parametrize("seed", [4, 5])
def test_a_python_strategy_on_its_worker(tmp_path: Path, seed: int) -> None:
    fills = trade(Maker(), tmp_path, fast(seed), 10)
    found = parity(tmp_path)
    assert found.same, found
    assert found.fills == fills
    assert verify(tmp_path).different == 0
    assert shadow(tmp_path, Maker(size="0.02")).different > 0


def test_a_compiled_strategy(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    import mainspring.strategies.compiled as machine

    trade(machine.TouchMaker(size="0.01", max_position="0.1"), tmp_path, fast(6), 5)
    found = parity(tmp_path)
    assert found.same, found


def test_sessions_that_were_restarted(tmp_path: Path) -> None:
    fills = [trade([MAKER, Maker()], tmp_path, fast(seed), 6) for seed in (7, 8, 9)]
    found = parity(tmp_path, [MAKER, Maker()])
    assert found.same, found
    assert (found.lives, found.fills) == (3, fills[-1])
    assert fills == sorted(set(fills))


def test_several_venues_in_one_process(tmp_path: Path) -> None:
    venues = [fast(11), fast(11, name="late", delay="200ms"), fast(12, name="other")]
    trade([MAKER, Maker()], tmp_path, venues, 10)
    found = parity(tmp_path)
    assert found.same, found
    names = {one["venue"] for one in ms.journal.open(tmp_path).sources.instruments}
    assert names == {"sample", "late", "other"}


def test_the_market_data_can_be_kept_and_run_over_again(tmp_path: Path) -> None:
    folder, feeds = tmp_path / "session", tmp_path / "feeds"
    trade(MAKER, folder, fast(13), 5)
    found = parity(folder, out=feeds)
    assert found.same, found
    assert [path.name for path in found.feeds] == ["feed-1.mse"]
    assert ms.data.open(found.feeds[0]).rows == found.rows
    again = tmp_path / "again"
    with paper(MAKER, again, venue=Recording(found.feeds[0], name="replayed")) as session:
        begun = time.monotonic()
        while not session.feeds_ended:
            assert time.monotonic() - begun < 60
            time.sleep(0.02)
    assert parity(again).same


def test_a_recording_ends(tmp_path: Path) -> None:
    data = ms.sample("btcusdt", hours=0.01)
    feed = Recording(data.files[0].path, speed=500)
    with paper(MAKER, tmp_path, venue=feed) as session:
        begun = time.monotonic()
        while not session.feeds_ended:
            assert time.monotonic() - begun < 30
            time.sleep(0.02)
        session.stop()
    assert parity(tmp_path).same


def test_other_parameters_are_found_and_shown_from_both_sides(tmp_path: Path) -> None:
    trade(MAKER, tmp_path, fast(14), 5)
    other = ms.native.TouchMaker(size="0.02", max_position="0.1", every="20ms")
    found = parity(tmp_path, other)
    assert not found.same
    difference = found.difference
    assert difference is not None
    assert difference.session is not None
    assert difference.backtest is not None
    assert difference.session["time_ns"] == difference.backtest["time_ns"]
    text = str(found)
    assert "session" in text
    assert "backtest" in text
    assert '"qty_lots": 10' in text
    assert '"qty_lots": 20' in text


def test_another_version_of_a_python_strategy_is_found(tmp_path: Path) -> None:
    class Other(Maker):
        def on_book(self, m):
            super().on_book(m)
            if self.calls == 2:
                m.cancel_all()

    trade(Maker(), tmp_path, fast(15), 5)
    other = Other()
    found = parity(tmp_path, other)
    assert not found.same
    assert found.difference is not None
    assert found.difference.life == 1


STRATEGY = """
import mainspring as ms

class Quoter(ms.Strategy, every="20ms"):
    def on_book(self, m):
        if m.bid is not None and m.ask is not None:
            m.quote(bid=((m.bid, SIZE),), ask=((m.ask, SIZE),))
"""


def test_the_verb_leaves_with_8_at_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traded, other = tmp_path / "traded.py", tmp_path / "other.py"
    traded.write_text(STRATEGY.replace("SIZE", "0.01"))
    other.write_text(STRATEGY.replace("SIZE", "0.02"))
    folder = tmp_path / "run"
    trade(load_strategy(f"{traded}:Quoter")(), folder, fast(21), 3)
    assert main(["parity", str(folder)]) == 0
    assert "none different" in capsys.readouterr().out
    assert main(["parity", str(folder), "--strategy", f"{other}:Quoter"]) == Exit.MISMATCH == 8
    assert "first difference" in capsys.readouterr().out


def test_what_is_no_paper_session_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        parity(tmp_path / "nothing")
    write_journal(tmp_path / "simulated", steps=200)
    with pytest.raises(MismatchError, match="were outside"):
        parity(tmp_path / "simulated", [MAKER])
