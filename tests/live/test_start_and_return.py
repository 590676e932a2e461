"""Ours against the venue's at the start, at a reconnection and every now and then.

Adopted: an order of somebody else. Ghost: ours says open, the venue knows none. Missing: the venue
has an order with our tag that we know nothing of.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import mainspring as ms
import pytest
from gate import Gate
from live_sessions import until, wait_for
from mainspring.config import Config
from mainspring.exchange import VenueServer
from mainspring.live import Credentials, LiveSession, LiveVenue, live
from venue_side import KEY, SECRET, VenueSide

When = Literal["start", "reconnection", "periodic"]
MOMENTS: tuple[When, ...] = ("start", "reconnection", "periodic")


@pytest.fixture
def server() -> Iterator[VenueServer]:
    with VenueServer("binance", markets=("btcusdt",), warm_up_s=10, speed=0.3) as server:
        yield server


class One(ms.Strategy, every="50ms"):
    """One order that rests far below the market, in all the lives of its session."""

    placed: bool = False

    def on_book(self, m: ms.Market) -> None:
        if m.mid > 0 and not self.placed:
            self.placed = True
            m.buy(0.01, m.bid - 2_000, post_only=True)


def policy(foreign: str) -> dict[str, Any]:
    document = {"orders": {"foreign": foreign, "reconcile_every": "500ms"}}
    return Config.model_validate(document).orders.to_engine()


class Trial:
    """A session, and a venue that changes while nobody hears of it."""

    def __init__(self, server: VenueServer, folder: Path, foreign: str) -> None:
        self.server, self.folder = server, folder
        self.side = VenueSide(server.url, "binance_usdm")
        self.orders = policy(foreign)
        self.gate = Gate(server.port)

    def begin(self) -> LiveSession:
        venue = LiveVenue(
            "binance_usdm", ["BTCUSDT"], credentials=Credentials(key=KEY, secret=SECRET),
            url=self.gate.url, on_disconnect="keep",
        )  # fmt: skip
        assert venue.check().passed
        return live(One, self.folder, venues=venue, size=1.0, orders=self.orders)

    @contextmanager
    def after(self, when: When, change: Any) -> Iterator[LiveSession]:
        """A session with one order that was not told of `change` by the user stream."""
        session = self.begin()
        wait_for(session, "an order", lambda s: s.open_orders == 1)
        until("it there", lambda: len(self.side.open_orders()) == 1)
        if when == "start":
            session.stop(cancel=False)
            change()
            session = self.begin()
            assert session.resumed
        elif when == "reconnection":
            self.gate.shut()
            until("the loss", lambda: not session.venues()[0].up)
            change()
            self.gate.open()
            until("the venue again", lambda: session.venues()[0].up)
        else:
            self.server.set_faults(user_gap=True)
            change()
        try:
            yield session
        finally:
            self.server.set_faults(user_gap=False)
            session.stop()
            self.gate.__exit__(None, None, None)

    def events(self, name: str) -> list[dict[str, Any]]:
        records = ms.journal.open(self.folder).records(types=["event"])
        return [one.fields for one in records if one.fields["event"] == name]


@pytest.mark.parametrize("when", MOMENTS)
def test_an_order_of_somebody_else_is_adopted(
    server: VenueServer, tmp_path: Path, when: When
) -> None:
    trial, placed = Trial(server, tmp_path / "run", "adopt"), []

    def by_hand() -> None:
        placed.append(trial.side.place("BUY", "30000", "0.02"))

    with trial.after(when, by_hand) as session:
        wait_for(session, "the adoption", lambda s: s.open_orders == 2)
        (adopted,) = trial.events("order_adopted")
        assert adopted["venue_order"] == placed[0]["orderId"]
    assert trial.side.open_orders() == [], "cancelled with ours at the end"


@pytest.mark.parametrize("when", MOMENTS)
def test_a_ghost_is_asked_about_and_ends(server: VenueServer, tmp_path: Path, when: When) -> None:
    trial = Trial(server, tmp_path / "run", "report")

    def take_away() -> None:
        (ours,) = trial.side.open_orders()
        trial.side.ask("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=ours["orderId"])

    with trial.after(when, take_away) as session:
        wait_for(session, "the end of the ghost", lambda s: s.open_orders == 0)
    records = list(ms.journal.open(trial.folder).records())
    assert "query" in [one.name for one in records], "the venue was asked, nothing assumed"
    answers = [one.fields for one in records if one.name == "answer"]
    assert answers, "and its answer is in the journal"
    assert trial.events("order_anomaly") == []


@pytest.mark.parametrize(
    ("when", "foreign"),
    [*((when, "report") for when in MOMENTS), ("periodic", "cancel"), ("start", "adopt")],
)
def test_an_order_of_ours_that_we_do_not_know_is_found(
    server: VenueServer, tmp_path: Path, when: When, foreign: str
) -> None:
    trial, placed = Trial(server, tmp_path / "run", foreign), []

    def unknown() -> None:
        # As a session's own whose journal is lost: its tag, and an id far from those it gives.
        tag = int((trial.folder / "tag").read_text())
        placed.append(
            trial.side.ask(
                "POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="LIMIT",
                timeInForce="GTC", price="30000", quantity="0.02",
                newClientOrderId=f"ms{tag:08x}{10**6:016x}",
            )
        )  # fmt: skip

    def still_there() -> bool:
        there = [one["orderId"] for one in trial.side.open_orders()]
        return placed[0]["orderId"] in there

    with trial.after(when, unknown) as session:
        event = "order_adopted" if foreign == "adopt" else "foreign_order"
        until("the report", lambda: len(trial.events(event)) == 1)
        assert trial.events(event)[0]["venue_order"] == placed[0]["orderId"]
        if foreign == "cancel":
            until("the cancel", lambda: not still_there())
        else:
            assert still_there()
        assert session.status().open_orders == (2 if foreign == "adopt" else 1)
