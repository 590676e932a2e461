"""How sessions are told what to do with orders of others, and rollouts on a venue outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from live_sessions import settles, wait_for
from mainspring.config import Config
from mainspring.errors import ConfigError
from mainspring.exchange import Member, VenueServer
from mainspring.live import Rollout, live, paper, verify
from mainspring.live.owner import orders_form
from test_outside import place
from venue_side import VenueSide

IDLE = ms.native.Noop()


@pytest.fixture
def server() -> Iterator[VenueServer]:
    with VenueServer("binance", port=0, markets=("btcusdt",), members=(Member(),)) as server:
        yield server


def test_words_and_forms_are_understood_alike() -> None:
    account = {"adopt": {"owner": "account"}}
    assert orders_form("adopt") == {"foreign": account}
    assert orders_form({"foreign": "adopt"}) == {"foreign": account}
    assert orders_form("cancel") == {"foreign": "cancel"}
    assert orders_form(None) == {}
    whole = Config.model_validate({"orders": {"foreign": "adopt"}}).orders.to_engine()
    assert orders_form(whole) == whole
    named = {"foreign": {"adopt": {"owner": "maker"}}}
    assert orders_form(named) == named


@pytest.mark.parametrize("wrong", ["adpot", {"foreign": "adoption"}, 7])
def test_what_is_no_policy_is_refused_with_how_to_write_it(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"'report', 'cancel', 'adopt', or Config\(\)\.orders"):
        paper(IDLE, tmp_path, orders=wrong)


def test_a_bare_word_adopts(server: VenueServer, tmp_path: Path) -> None:
    side = VenueSide(server.url, "binance_usdm")
    side.place("BUY", "30000", "0.01")
    venue = place(server, "binance_usdm")
    with live(IDLE, tmp_path / "run", venues=venue, size=1.0, orders="adopt") as session:
        assert [one.name for one in session.strategies] == ["noop", "account"]
        wait_for(session, "the order", lambda s: s.open_orders == 1)
        session.stop()
    assert side.open_orders() == [], "cancelled with ours at the end"


class Low(ms.Strategy, every="50ms"):
    """Keeps one bid far below the market."""

    size: ms.Qty = "0.020"

    def on_book(self, m: Any) -> None:
        if m.mid > 0:
            # Moved now and then, so that new orders are made under a new share.
            step = m.time_ns // 200_000_000 % 10
            m.quote(bid=((m.bid - 500 - step, self.size),))


class LowAgain(Low):
    """The same, as a version to be tried."""


def test_versions_share_a_size_on_a_venue_outside(server: VenueServer, tmp_path: Path) -> None:
    side = VenueSide(server.url, "binance_usdm")
    venue = place(server, "binance_usdm")
    both, rollout = [Low(), LowAgain()], Rollout(old="Low", new="LowAgain")
    folder = tmp_path / "run"
    with live(both, folder, venues=venue, size=1.0, rollouts=[rollout]) as session:
        settles(session, {0: {20}}, more=3)
        session.roll_out(50, reason="it looks well")
        settles(session, {0: {10}, 1: {10}}, more=6)
        # The venue never has more of both than one had.
        open_there = sum(float(one["origQty"]) for one in side.open_orders())
        assert open_there <= 0.020 + 1e-9
        session.roll_out(0, reason="it does not")
        settles(session, {0: {20}}, more=3)
        session.stop()
    assert side.open_orders() == []
    assert verify(folder, [Low(), LowAgain()]).different == 0


def test_versions_that_are_not_there_are_refused(server: VenueServer, tmp_path: Path) -> None:
    venue = place(server, "binance_usdm")
    rollout = Rollout(old="Low", new="LowAgain")
    with pytest.raises(ConfigError, match="is not one strategy"):
        live(Low(), tmp_path / "run", venues=venue, size=1.0, rollouts=[rollout])
