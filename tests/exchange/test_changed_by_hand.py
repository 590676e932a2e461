"""Orders of a session that somebody changes at the venue, over sockets."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from dialect_side import DIALECTS, UNITS, DialectSide, credentials
from mainspring.exchange import VenueServer
from mainspring.journal import Record
from mainspring.live import live, verify
from mainspring.venues import Codec
from sessions_on_dialects import place, ready, until

# Where a change leaves the order what it was.
IN_PLACE = ("binance_usdm", "okx", "okx_spot", "bybit", "bybit_spot")
INSTRUMENTS = {
    "binance_usdm": "/fapi/v1/exchangeInfo",
    "okx": "/api/v5/public/instruments?instType=SWAP",
    "okx_spot": "/api/v5/public/instruments?instType=SPOT",
    "bybit": "/v5/market/instruments-info?category=linear",
    "bybit_spot": "/v5/market/instruments-info?category=spot",
}
# In the base currency; where sizes are contracts it is as many of them.
SIZE = 0.04


class Hand:
    """A person with the account's own key, in the venue's own pages."""

    def __init__(self, server: VenueServer, venue: str) -> None:
        own = credentials(venue)
        self.codec = Codec(venue, key=own.key, secret=own.secret, passphrase=own.passphrase)
        self.url, self.symbol = server.url, DIALECTS[venue][1]
        with urllib.request.urlopen(self.url + INSTRUMENTS[venue], timeout=10) as answer:
            self.codec.load_instruments(answer.read().decode())

    def amend(self, order_id: str, price: str, qty: str) -> None:
        asked = {
            "kind": "amend", "symbol": self.symbol, "side": "buy", "order_id": order_id,
            "price": price, "qty": qty,
        }  # fmt: skip
        request = self.codec.encode(asked, now_ms=int(time.time() * 1_000))
        headers = dict(request.headers)
        sent = urllib.request.Request(
            self.url + request.target, request.body.encode() or None, headers, method=request.method
        )
        with urllib.request.urlopen(sent, timeout=10) as answer:
            said = self.codec.answer(answer.status, answer.read().decode())
        assert said.failure is None, said


class Rests(ms.Strategy, every="20ms"):
    """Rests one order, and keeps what it is told of it."""

    size: ms.Qty = "0.04"
    order: int = 0
    price: float = 0.0
    told_price: float = 0.0
    told_qty: float = 0.0

    def on_book(self, m: Any) -> None:
        if not self.order and m.bid is not None:
            # Where the market does not come to while a slow machine looks.
            self.price = m.bids(20)[-1][0] * 0.97
            self.order = m.buy(self.size, self.price)

    def on_order(self, m: Any, order: Any) -> None:
        self.told_price, self.told_qty = float(order.price), float(order.qty)


@pytest.fixture(params=IN_PLACE)
def venue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def known(folder: Path) -> tuple[float, float]:
    """Price in ticks and quantity in lots of the newest record of an order."""
    told = ms.journal.open(folder).records(types=["order"])
    *_, last = (one.fields for one in told if isinstance(one, Record))
    return last["price_ticks"], last["qty_lots"]


def test_a_change_by_hand_is_known_and_told(
    server: VenueServer, venue: str, tmp_path: Path
) -> None:
    side, hand = DialectSide(server, venue), Hand(server, venue)
    unit = UNITS.get(venue, 1.0)
    strategy = Rests(size=str(SIZE / unit))
    folder = tmp_path / "run"
    with live(strategy, folder, venues=place(server, venue), size=1.0) as session:
        ready(session)
        until("order", lambda: len(side.open_orders()) == 1, session)
        until("its acceptance", lambda: session.status().open_orders == 1, session)
        (resting,) = side.open_orders()
        lower = f"{resting.price - 10:.1f}"
        before = known(folder)
        hand.amend(resting.venue_id, lower, f"{SIZE / unit * 2:g}")
        until("the change", lambda: known(folder)[1] == before[1] * 2, session)
        assert known(folder)[0] < before[0]
        until("word of it", lambda: strategy.told_qty == pytest.approx(SIZE / unit * 2), session)
        assert strategy.told_price == pytest.approx(float(lower))
        # The engine goes on from what stands there.
        session.kill("the test ends")
        until("the cancel", lambda: side.open_orders() == [], session)
        outcome = session.stop()
    assert (outcome.broken, outcome.status.open_orders) == (None, 0)
    again = verify(folder, Rests(size=str(SIZE / unit)))
    assert (again.same > 0, again.different) == (True, 0), again
