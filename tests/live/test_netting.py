"""Several strategies on one account: each has a position of its own, the venue has their sum."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from live_sessions import FAST, until, wait_for
from mainspring.exchange import VenueServer
from mainspring.live import Credentials, LiveSession, LiveVenue, live, paper, verify
from venue_side import KEY, SECRET, VenueSide

PARTS = ("realised", "unrealised", "fees", "funding")


class Long(ms.Strategy, every="50ms"):
    """Holds a position that is opposite to the other's."""

    want: float = 0.02

    def on_book(self, m: ms.Market) -> None:
        if m.mid > 0:
            m.target_position(self.want)


class Short(Long):
    """The other one."""

    want: float = -0.03


WANTED = {"Long": 20, "Short": -30}


@pytest.fixture
def server() -> Iterator[VenueServer]:
    with VenueServer("binance", markets=("btcusdt",), warm_up_s=10) as server:
        yield server


def opposed(session: LiveSession) -> None:
    """Waits until both hold what they want, and nothing moves any more."""
    wait_for(session, "both", lambda s: s.markets[0]["position_lots"] == -10 and s.fills >= 2)
    wait_for(session, "calm", lambda s: s.open_orders == 0)


def look(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each strategy holds and earned, and what the account has."""
    state = ms.journal.open(folder).state()
    names = [one["name"] for one in state["strategies"]]
    held = {names[one["strategy"]]: one for one in state["positions"]}
    return held, state["money"]["USDT"]


def sums(held: dict[str, Any], money: dict[str, Any]) -> None:
    """What strategies earned and paid is what the account did, to the last digit."""
    assert {name: one["position_lots"] for name, one in held.items()} == WANTED
    for part in PARTS:
        assert sum(Decimal(one[part]) for one in held.values()) == Decimal(money[part]), part
    moved = Decimal(money["realised"]) - Decimal(money["fees"]) + Decimal(money["funding"])
    assert Decimal(money["cash"]) == Decimal(money["deposits"]) + moved
    assert Decimal(money["equity"]) == Decimal(money["cash"]) + Decimal(money["unrealised"])


def test_opposed_strategies_net_on_paper(tmp_path: Path) -> None:
    with paper([Long(), Short()], tmp_path / "run", venue=FAST) as session:
        opposed(session)
        session.stop()
    sums(*look(tmp_path / "run"))
    # Each goes on with its own after a restart.
    with paper([Long(), Short()], tmp_path / "run", venue=FAST) as session:
        wait_for(session, "the market", lambda s: s.rows > 0)
        session.stop()
    sums(*look(tmp_path / "run"))


def test_opposed_strategies_net_on_a_venue(server: VenueServer, tmp_path: Path) -> None:
    side = VenueSide(server.url, "binance_usdm")
    venue = LiveVenue(
        "binance_usdm", ["BTCUSDT"], credentials=Credentials(key=KEY, secret=SECRET), url=server.url
    )
    assert venue.check().passed
    with live([Long(), Short()], tmp_path / "run", venues=venue, size=1.0) as session:
        opposed(session)
        until("the sum there", lambda: abs(side.position() + 0.01) < 1e-9)
        session.stop()
    held, money = look(tmp_path / "run")
    sums(held, money)
    again = verify(tmp_path / "run", [Long(), Short()])
    assert again.different == 0, again
