"""Sessions on a venue outside: the simulator over loopback, by sockets and the venue's protocol."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import mainspring as ms
import pytest
from live_sessions import until, wait_for
from mainspring.errors import ConfigError
from mainspring.exchange import Faults, Member, VenueServer
from mainspring.live import Credentials, LiveSession, LiveVenue, live, verify
from mainspring.live.credentials import find, keep_in_file
from venue_side import KEY, SECRET, VenueSide

MAKER = ms.native.TouchMaker(size="0.02", max_position="0.2", every="50ms")
PRODUCTS = ("binance", "binance_usdm")


OTHER = Member(key="other-key", secret="other-secret")


@pytest.fixture
def server() -> Iterator[VenueServer]:
    members = (Member(), OTHER)
    with VenueServer("binance", port=0, markets=("btcusdt",), members=members) as server:
        yield server


def place(server: VenueServer, product: str, **settings: object) -> LiveVenue:
    """The simulator as a venue that was looked at."""
    credentials = Credentials(key=KEY, secret=SECRET)
    venue = LiveVenue(product, ["BTCUSDT"], credentials=credentials, url=server.url, **settings)  # type: ignore[arg-type]
    assert venue.check().passed
    return venue


def held(session: LiveSession) -> int:
    return int(session.status().markets[0]["position_lots"])


def calm(session: LiveSession, side: VenueSide) -> None:
    """Stops quoting and waits until both sides have nothing open and the same position."""
    session.kill("the test compares")
    wait_for(session, "end of orders", lambda s: s.open_orders == 0)
    until("the same position", lambda: abs(side.position() - held(session) / 1_000) < 0.0006)
    assert side.open_orders() == []


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_strategy_of_a_backtest_trades_on_a_venue(
    server: VenueServer, tmp_path: Path, product: str
) -> None:
    side = VenueSide(server.url, product)
    with live(MAKER, tmp_path / "run", venues=place(server, product), size=0.5) as session:
        wait_for(session, "fills", lambda s: s.fills >= 3)
        open_now = side.open_orders()
        assert all(one["clientOrderId"].startswith("ms") for one in open_now)
        assert all(float(one["origQty"]) == pytest.approx(0.01) for one in open_now), "half of 0.02"
        (shown,) = session.venues()
        assert (shown.up, shown.fresh, shown.closed) == (True, True, 0)
        assert shown.clock_error_ns is not None
        calm(session, side)
        outcome = session.stop()
    assert (outcome.broken, outcome.status.open_orders) == (None, 0)
    again = verify(tmp_path / "run")
    assert again.same > 0, "the journal replays"
    assert again.different == 0, again


def test_a_python_strategy_is_the_same_object(server: VenueServer, tmp_path: Path) -> None:
    class Maker(ms.Strategy, every="50ms"):
        size: ms.Qty = "0.01"

        def on_book(self, m):
            if m.bid is not None and m.ask is not None:
                m.quote(bid=((m.bid, self.size),), ask=((m.ask, self.size),))

    venue = place(server, "binance_usdm")
    with live(Maker, tmp_path / "run", venues=venue, size=1.0) as session:
        wait_for(session, "fills", lambda s: s.fills >= 1)
        session.stop()
    again = verify(tmp_path / "run", Maker())
    assert (again.same > 0, again.different) == (True, 0), again


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_kill_reaches_the_venue_at_once(
    server: VenueServer, tmp_path: Path, product: str
) -> None:
    side = VenueSide(server.url, product)
    with live(MAKER, tmp_path / "run", venues=place(server, product), size=1.0) as session:
        wait_for(session, "open orders", lambda s: s.open_orders >= 2)
        session.kill("test")
        # A few milliseconds where nothing else runs: `mainspring bench` has the figure.
        until("cancels at the venue", lambda: side.open_orders() == [])
        sent, rows = session.status().orders, session.status().rows
        wait_for(session, "a market that goes on", lambda s: s.rows > rows + 50)
        assert session.status().orders == sent, "nothing new leaves after a kill"
        session.stop()


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_kill_clears_the_venue_where_it_may(
    server: VenueServer, tmp_path: Path, product: str
) -> None:
    side = VenueSide(server.url, product)
    by_hand = side.place("BUY", "30000", "0.01")
    venue = place(server, product, cancel_all=True)
    with live(MAKER, tmp_path / "run", venues=venue, size=1.0) as session:
        wait_for(session, "open orders", lambda s: s.open_orders >= 2)
        assert by_hand["orderId"] in [one["orderId"] for one in side.open_orders()]
        session.kill("test")
        until("nothing at the venue", lambda: side.open_orders() == [])
        wait_for(session, "nothing here", lambda s: s.open_orders == 0)
        calm(session, side)
        session.stop()
    again = verify(tmp_path / "run")
    assert again.different == 0, again


def test_orders_of_a_callback_leave_in_one_batch(server: VenueServer, tmp_path: Path) -> None:
    """Levels on each side by request: the venue's own count of requests says how they came."""

    class Levels(ms.Strategy, every="100ms"):
        placed: bool = False

        def on_book(self, m: ms.Market) -> None:
            if m.mid > 0 and not self.placed:
                self.placed = True
                for n in range(5):
                    m.buy(0.01, m.bid - 100 - n, post_only=True)

    side = VenueSide(server.url, "binance_usdm")
    venue = place(server, "binance_usdm", orders_by_socket=False)
    with live(Levels, tmp_path / "run", venues=venue, size=1.0) as session:
        wait_for(session, "all five", lambda s: s.open_orders == 5)
        until("all five there", lambda: len(side.open_orders()) == 5)
        made = {one["time"] for one in side.open_orders()}
        assert len(made) == 1, "they came together"
        session.cancel_all()
        until("none there", lambda: side.open_orders() == [])
        wait_for(session, "none", lambda s: s.open_orders == 0)
        session.stop()


@pytest.mark.parametrize("product", PRODUCTS)
def test_lost_connections_are_made_up_for(
    server: VenueServer, tmp_path: Path, product: str
) -> None:
    side = VenueSide(server.url, product)
    with live(MAKER, tmp_path / "run", venues=place(server, product), size=1.0) as session:
        wait_for(session, "fills", lambda s: s.fills >= 1)
        server.set_faults(disconnect=0.02)
        until("lost connections", lambda: session.venues()[0].closed >= 3)
        server.set_faults(Faults())
        until("the venue again", lambda: session.venues()[0].up and session.venues()[0].fresh)
        before = session.status().orders
        wait_for(session, "orders again", lambda s: s.orders > before + 3)
        calm(session, side)
        session.stop()


def test_answers_that_say_nothing_are_asked_about(server: VenueServer, tmp_path: Path) -> None:
    side = VenueSide(server.url, "binance_usdm")
    venue = place(server, "binance_usdm", orders_by_socket=False)
    with live(MAKER, tmp_path / "run", venues=venue, size=1.0) as session:
        wait_for(session, "fills", lambda s: s.fills >= 1)
        server.set_faults(unknown_outcome=0.5, too_many_requests=0.1)
        until("an order to ask about", lambda: "order" in topics(session))
        server.set_faults(Faults())
        before = session.status().orders
        wait_for(session, "orders again", lambda s: s.orders > before)
        calm(session, side)
        session.stop()


def topics(session: LiveSession) -> set[str]:
    return {note["topic"] for note in session.venues()[0].notes}


def test_orders_of_others_are_reported_and_left(server: VenueServer, tmp_path: Path) -> None:
    side = VenueSide(server.url, "binance_usdm")
    placed = side.place("BUY", "30000", "0.01")
    orders = {"patience": {"reconcile_ns": 500_000_000}}
    venue = place(server, "binance_usdm")
    with live(MAKER, tmp_path / "run", venues=venue, size=1.0, orders=orders) as session:
        wait_for(session, "fills", lambda s: s.fills >= 1)
        until("the report", lambda: is_reported(tmp_path / "run", str(placed["orderId"])))
        session.stop()
    assert [one["orderId"] for one in side.open_orders()] == [placed["orderId"]]


def is_reported(folder: Path, order: str) -> bool:
    told = (str(record.fields) for record in ms.journal.open(folder).records())
    return any("foreign" in text and order in text for text in told)


def test_orders_of_others_are_cancelled_where_asked(server: VenueServer, tmp_path: Path) -> None:
    side = VenueSide(server.url, "binance_usdm")
    side.place("BUY", "30000", "0.01")
    orders = {"foreign": "cancel"}
    venue = place(server, "binance_usdm")
    with live(MAKER, tmp_path / "run", venues=venue, size=1.0, orders=orders) as session:
        until(
            "the cancel",
            lambda: (
                all(one["price"] != "30000" for one in side.open_orders())
                and all(float(one["price"]) > 31_000 for one in side.open_orders())
            ),
        )
        session.stop()


CHILD = """
import sys
import mainspring as ms
from mainspring.live import Credentials, LiveVenue, live
product, url, folder = sys.argv[1:]
venue = LiveVenue(product, ["BTCUSDT"], url=url,
                  credentials=Credentials(key="simulator-key", secret="simulator-secret"))
maker = ms.native.TouchMaker(size="0.02", max_position="0.2", every="50ms")
session = live(maker, folder, venues=venue, size=1.0)
print("started", flush=True)
while True:
    session.wait(0.1)
    print(session.status().fills, session.status().open_orders, session.halted, flush=True)
"""


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_killed_process_loses_nothing(
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
        [sys.executable, "-c", CHILD, product, server.url, str(folder)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "MAINSPRING_HOME": str(home)},
    )  # fmt: skip

    def has_traded(line: str) -> bool:
        words = line.split()
        told = words[0] != "started" and int(words[0]) >= 3 and int(words[1]) >= 2
        return told and bool(side.open_orders())

    awaited(child, has_traded)
    child.send_signal(signal.SIGKILL)
    child.wait()
    left = side.open_orders()
    assert left, "a killed process leaves its orders"
    # What it left trades while nobody listens: somebody takes everything up to its price.
    before = side.position()
    other = VenueSide(server.url, product, OTHER.key, OTHER.secret)
    against = "SELL" if left[0]["side"] == "BUY" else "BUY"

    def is_hit() -> bool:
        other.place(against, left[0]["price"], "1", life="IOC")
        return bool(side.position() != pytest.approx(before, abs=0.0006))

    until("trade with what was left", is_hit)
    with live(MAKER, folder, venues=venue, size=1.0) as session:
        assert session.resumed
        until("the venue", lambda: session.venues()[0].up)
        wait_for(session, "orders", lambda s: s.orders >= 1)
        session.wait(1.0)
        calm(session, side)
        session.stop()


def test_a_session_begins_only_after_a_look(server: VenueServer, tmp_path: Path) -> None:
    venue = LiveVenue(
        "binance", ["BTCUSDT"], credentials=Credentials(key=KEY, secret=SECRET), url=server.url
    )
    with pytest.raises(ConfigError, match="never looked at"):
        live(MAKER, tmp_path / "run", venues=venue, size=0.1)
    assert venue.check().passed
    with pytest.raises(ConfigError, match="size"):
        live(MAKER, tmp_path / "run", venues=venue, size=0.0)
    more = LiveVenue(
        "binance", ["BTCUSDT", "ETHUSDT"], credentials=venue.credentials, url=server.url
    )
    with pytest.raises(ConfigError, match="ETHUSDT"):
        live(MAKER, tmp_path / "run", venues=more, size=0.1)
    with pytest.raises(ConfigError, match="need a key"):
        live(MAKER, tmp_path / "run", venues=LiveVenue("binance", ["BTCUSDT"]), size=0.1)


def test_a_wrong_secret_does_not_pass(server: VenueServer) -> None:
    wrong = Credentials(key=KEY, secret="not-the-secret")
    check = LiveVenue("binance", ["BTCUSDT"], credentials=wrong, url=server.url).check()
    assert not check.passed
    assert "not-the-secret" not in repr(check) + repr(wrong)


def test_the_check_of_the_command_line(server: VenueServer, tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "MAINSPRING_BINANCE_KEY": KEY,
        "MAINSPRING_BINANCE_SECRET": SECRET,
        "MAINSPRING_HOME": str(tmp_path / "home"),
    }
    command = [sys.executable, "-m", "mainspring"]
    look = ["connect", "binance_usdm", "--check", "--symbol", "BTCUSDT", "--url", server.url]
    done = subprocess.run(
        [*command, *look], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    trade = [
        "live", "native:TouchMaker", "--venue", "binance_usdm", "--symbol", "BTCUSDT", "--url",
        server.url, "--size", "0.5", "--out", str(tmp_path / "run"), "--seconds", "2", "--json",
        "-e", 'parameters.size="0.02"', "-e", 'parameters.max_position="0.2"',
    ]  # fmt: skip
    done = subprocess.run(
        [*command, *trade], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert '"broken": null' in done.stdout, done.stdout


def test_keys_are_kept_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    kept = Credentials(key="the-key", secret="the-secret", passphrase="the-phrase")
    monkeypatch.setenv("MAINSPRING_PASSWORD", "correct horse")
    keep_in_file(path, "okx", kept)
    keep_in_file(path, "binance", Credentials(key="k2", secret="s2"))
    assert find("okx", f"file:{path}") == kept
    assert path.stat().st_mode & 0o077 == 0, "nobody else may read it"
    assert "the-secret" not in path.read_text() + repr(kept) + str(kept)
    with pytest.raises(ConfigError, match="password is wrong"):
        find("okx", f"file:{path}", password="wrong")
    with pytest.raises(ConfigError, match="has no key of bybit"):
        find("bybit", f"file:{path}")
    changed = path.read_text().replace('"sealed": "', '"sealed": "00', 1)
    path.write_text(changed)
    with pytest.raises(ConfigError, match="was changed"):
        find("okx", f"file:{path}")


def test_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSPRING_BINANCE_KEY", "k")
    monkeypatch.setenv("MAINSPRING_BINANCE_SECRET", "s")
    assert find("binance_usdm").key == "k", "products fall back to their venue"
    with pytest.raises(ConfigError, match="MAINSPRING_DYDX_SECRET"):
        find("dydx")
    with pytest.raises(ConfigError, match="env, keyring"):
        find("binance", "argv:secret")
