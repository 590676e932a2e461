"""Orders that a session did not place, on a venue outside: adopted, booked, cancelled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import mainspring as ms
import pytest
from live_sessions import until, wait_for
from mainspring.config import Config
from mainspring.errors import ConfigError
from mainspring.events import Bus, OrderAdopted
from mainspring.events.sources import JournalSource
from mainspring.exchange import Member, VenueServer
from mainspring.live import LiveSession, live
from mainspring.live.owner import with_owner
from test_outside import held, place
from venue_side import VenueSide

IDLE = ms.native.Noop()
PRODUCTS = ("binance", "binance_usdm")
ADOPT = Config.model_validate(
    {"orders": {"foreign": "adopt", "reconcile_every": "500ms"}}
).orders.to_engine()


@pytest.fixture
def server() -> Iterator[VenueServer]:
    with VenueServer("binance", port=0, markets=("btcusdt",), members=(Member(),)) as server:
        yield server


def agree(session: LiveSession, side: VenueSide) -> None:
    until("the same position", lambda: abs(side.position() - held(session) / 1_000) < 0.0006)


def events(folder: Path, name: str) -> list[ms.journal.Record]:
    records = ms.journal.open(folder).records(types=["event"])
    return [one for one in records if one.fields["event"] == name]


@pytest.mark.parametrize("product", PRODUCTS)
def test_orders_by_hand_are_adopted_booked_and_cancelled(
    server: VenueServer, tmp_path: Path, product: str
) -> None:
    side = VenueSide(server.url, product)
    before = side.place("BUY", "30000", "0.01")
    folder = tmp_path / "run"
    with live(IDLE, folder, venues=place(server, product), size=1.0, orders=ADOPT) as session:
        assert [one.name for one in session.strategies] == ["noop", "account"]
        # One that was there before, found in the list; one that comes by the user stream.
        wait_for(session, "the order of the list", lambda s: s.open_orders == 1)
        side.place("BUY", "30001", "0.02")
        wait_for(session, "the order of the stream", lambda s: s.open_orders == 2)
        # One that trades at once: its fills are the account's.
        side.place("BUY", "90000", "0.03", life="IOC")
        wait_for(session, "fills", lambda s: s.fills >= 1)
        agree(session, side)
        session.cancel_all()
        wait_for(session, "the end of the orders", lambda s: s.open_orders == 0)
        until("cancels at the venue", lambda: side.open_orders() == [])
        session.wait(1.2)
        agree(session, side)
        session.stop()
    adopted = events(folder, "order_adopted")
    assert before["orderId"] in [one.fields["venue_order"] for one in adopted]
    assert len(adopted) == 3
    assert events(folder, "position_mismatch") == []
    assert events(folder, "foreign_order") == []
    reader = ms.journal.open(folder)
    fills = list(reader.records(types=["fill"]))
    assert fills
    assert {one.fields["strategy"] for one in fills} == {1}, "the account's own"
    assert all(one.fields["order_id"] >= 1 << 56 for one in fills)
    source = JournalSource(folder)
    with Bus(source) as bus:
        told: list[OrderAdopted] = []
        assert bus.subscribe(told.append, types=[OrderAdopted]).wait(source.newest)
    assert [one.strategy for one in told] == [1, 1, 1]


CHILD = """
import json, sys
import mainspring as ms
from mainspring.live import Credentials, LiveVenue, live
product, url, folder, orders = sys.argv[1:]
venue = LiveVenue(product, ["BTCUSDT"], url=url,
                  credentials=Credentials(key="simulator-key", secret="simulator-secret"))
session = live(ms.native.Noop(), folder, venues=venue, size=1.0, orders=json.loads(orders))
print("started", flush=True)
while True:
    session.wait(0.02)
    print(session.status().fills, session.status().open_orders, session.halted, flush=True)
"""


@pytest.mark.parametrize("product", PRODUCTS)
def test_adopted_orders_outlive_a_killed_process(
    server: VenueServer,
    tmp_path: Path,
    product: str,
    home: Path,
    awaited: Callable[..., str],
) -> None:
    side = VenueSide(server.url, product)
    venue = place(server, product)
    folder = tmp_path / "run"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, product, server.url, str(folder), json.dumps(ADOPT)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "MAINSPRING_HOME": str(home)},
    )  # fmt: skip
    awaited(child, lambda line: line.split()[0] == "started")
    side.place("BUY", "30000", "0.01")
    side.place("BUY", "90000", "0.02", life="IOC")

    def has_adopted(line: str) -> bool:
        words = line.split()
        return words[0] != "started" and int(words[0]) >= 1 and int(words[1]) >= 1

    awaited(child, has_adopted)
    child.send_signal(signal.SIGKILL)
    child.wait()
    # While nobody listens one trades, and another is placed.
    side.place("BUY", "90000", "0.01", life="IOC")
    side.place("BUY", "30002", "0.01")
    with live(IDLE, folder, venues=venue, size=1.0, orders=ADOPT) as session:
        assert session.resumed
        wait_for(session, "both orders", lambda s: s.open_orders == 2)
        agree(session, side)
        session.cancel_all()
        wait_for(session, "the end of the orders", lambda s: s.open_orders == 0)
        assert side.open_orders() == []
        agree(session, side)
        session.stop()
    assert events(folder, "order_anomaly") == []


def test_the_owner_is_a_strategy_or_the_account(server: VenueServer, tmp_path: Path) -> None:
    own = {"foreign": {"adopt": {"owner": "noop"}}}
    assert with_owner([IDLE], own) == [IDLE]
    assert with_owner([IDLE], {"foreign": "cancel"}) == [IDLE]
    assert with_owner([IDLE], None) == [IDLE]
    assert [one.name for one in with_owner([IDLE], ADOPT)] == ["noop", "account"]
    wrong = {"foreign": {"adopt": {"owner": "nobody"}}}
    venue = place(server, "binance_usdm")
    with pytest.raises(ConfigError, match="nobody"):
        live(IDLE, tmp_path / "wrong", venues=venue, size=1.0, orders=wrong)
    side = VenueSide(server.url, "binance_usdm")
    side.place("BUY", "30000", "0.01")
    orders = {**ADOPT, **own}
    with live(IDLE, tmp_path / "run", venues=venue, size=1.0, orders=orders) as session:
        wait_for(session, "the order", lambda s: s.open_orders == 1)
        session.stop()
    (adopted,) = events(tmp_path / "run", "order_adopted")
    assert adopted.fields["strategy"] == 0
    assert side.open_orders() == [], "cancelled with ours at the end"
