"""What strategies ask for as a session ends, and what trades while answers are slow."""

from __future__ import annotations

from pathlib import Path

import mainspring as ms
import pytest
from live_sessions import until, wait_for
from mainspring.live import Keep, LiveSession, PaperVenue, paper

SLOW = PaperVenue(speed=20, entry="100ms", response="200ms")
KEEP = Keep(stop="60s", flatten_on_kill=True)


class Holder(ms.Strategy, every="20ms"):
    """Buys once, and closes what it holds as the session ends."""

    def on_book(self, m: ms.Market) -> None:
        if not m.orders() and m.position == 0:
            m.buy(0.01)

    def on_stop(self, m: ms.Market) -> None:
        if m.position > 0:
            m.sell(m.position, reduce_only=True)
        # Refused: the session ends.
        m.buy(0.01, m.bid - 100)


class Maker(ms.Strategy, every="20ms"):
    """Quotes at the touch."""

    def on_book(self, m: ms.Market) -> None:
        m.quote(bid=((m.bid, 0.01),), ask=((m.ask, 0.01),))


def is_whole(session: LiveSession) -> None:
    journal = ms.journal.open(session.folder)
    assert journal.verify()["findings"] == []


def test_a_strategy_on_the_worker_closes_as_its_session_ends(tmp_path: Path) -> None:
    with paper(Holder(), tmp_path, venue=SLOW, keep=KEEP) as session:
        wait_for(
            session,
            "a position and nothing open",
            lambda s: s.markets[0]["position_lots"] > 0 and s.open_orders == 0,
        )
        outcome = session.stop()
    assert outcome.broken is None
    assert outcome.status.markets[0]["position_lots"] == 0
    assert outcome.status.open_orders == 0
    is_whole(session)
    adds = [
        one.fields
        for one in ms.journal.open(tmp_path).records(types=["order"])
        if one.fields["state"] == "risk_rejected"
    ]
    assert len(adds) == 1, "what would add is refused"


@pytest.mark.parametrize("kind", ["native", "python"])
def test_a_kill_that_closes_leaves_nothing_however_slow_the_venue(
    tmp_path: Path, kind: str
) -> None:
    native = ms.native.TouchMaker(size="0.01", max_position="0.1", every="20ms")
    maker = native if kind == "native" else Maker()
    with paper(maker, tmp_path, venue=SLOW, keep=KEEP) as session:
        wait_for(session, "a position", lambda s: s.markets[0]["position_lots"] != 0)
        session.kill("a test")
        wait_for(session, "halt", lambda s: s.halted)
        wait_for(
            session,
            "nothing held and nothing open",
            lambda s: s.open_orders == 0 and s.markets[0]["position_lots"] == 0,
        )
        outcome = session.stop()
    assert outcome.status.markets[0]["position_lots"] == 0
    is_whole(session)


def test_a_session_that_its_own_strategy_stops_does_not_wait_for_it(tmp_path: Path) -> None:
    class Stops(ms.Strategy, every="20ms"):
        def on_book(self, m: ms.Market) -> None:
            sessions[0].stop()

    sessions: list[LiveSession] = []
    session = paper(Stops(), tmp_path, venue=PaperVenue(speed=20), keep=Keep(stop="10m"))
    sessions.append(session)
    until("the end", lambda: session.has_ended)
    assert session.stop().broken is None
