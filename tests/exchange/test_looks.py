"""The stages before money is at risk, on every dialect: a look, a record, and a small size."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import mainspring as ms
import pytest
from dialect_side import DIALECTS, UNITS, DialectSide, credentials
from mainspring.cli import main
from mainspring.cli.exits import Exit
from mainspring.data import Recorder
from mainspring.errors import ConfigError
from mainspring.exchange import VenueServer
from mainspring.live import LiveVenue, live
from mainspring.live.latency import STAGES
from sessions_on_dialects import place, ready, until
from test_kill_switch import SIZE, TwoOrders

SPEED = 0.5
"""How fast the served market goes."""

VENUES = tuple(DIALECTS)
# One of each protocol in every run, all in the long one.
SOME = [
    pytest.param(venue, marks=() if venue in ("binance", "okx", "dydx") else (pytest.mark.slow,))
    for venue in VENUES
]


def keys_in_environment(monkeypatch: pytest.MonkeyPatch, venue: str) -> str:
    """Puts the venue's keys where the command line looks for them; the secret."""
    keys = credentials(venue)
    prefix = f"MAINSPRING_{venue.upper()}_"
    for part in ("key", "secret", "passphrase", "account"):
        if value := getattr(keys, part):
            monkeypatch.setenv(prefix + part.upper(), value)
    assert keys.secret
    return keys.secret


@pytest.mark.parametrize("venue", VENUES)
def test_the_look_of_the_command_line_tells_what_is_there(
    server: VenueServer,
    venue: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = keys_in_environment(monkeypatch, venue)
    symbol = DIALECTS[venue][1]
    words = ["connect", venue, "--check", "--url", server.url]
    assert main([*words, "--symbol", symbol, "--json"]) == Exit.OK
    told, warned = capsys.readouterr()
    found = json.loads(told)
    assert found["passed"] is True
    assert abs(found["clock_offset_ms"]) < 5_000
    (rules,) = found["instruments"]
    assert rules["symbol"] == symbol
    assert float(rules["tick"]) > 0
    assert float(rules["lot"]) > 0
    assert float(rules["taker_fee"]) > 0
    assert "what the account pays" not in warned
    assert found["balances"]
    # Whether the key may withdraw is known and said, or said to be unknown.
    assert found["may_withdraw"] is False or "withdraw" in warned
    assert secret not in told + warned
    assert main([*words, "--symbol", "NOPE", "--json"]) == Exit.CONFIG
    assert "does not list NOPE" in capsys.readouterr().err


@pytest.mark.parametrize("venue", SOME)
def test_a_size_is_carried_out_in_part_and_only_after_a_look(
    server: VenueServer, tmp_path: Path, venue: str
) -> None:
    side = DialectSide(server, venue)
    strategy = TwoOrders(size=str(SIZE / UNITS.get(venue, 1.0)))
    there = LiveVenue(venue, [DIALECTS[venue][1]], credentials=credentials(venue), url=server.url)
    with pytest.raises(ConfigError, match="never looked at"):
        live(strategy, tmp_path / "run", venues=there, size=0.5)
    there = place(server, venue)
    with live(strategy, tmp_path / "run", venues=there, size=0.5) as session:
        ready(session)
        until("orders", lambda: len(side.open_orders()) >= 2, session)
        assert {round(order.qty, 9) for order in side.open_orders()} == {SIZE / 2}
        # Every stage of the way to an order is timed, at every venue.
        until("all stages", lambda: set(session.latency()) == set(STAGES), session)
        session.kill("the test ends")
        until("cancels", lambda: side.open_orders() == [], session)
        session.stop()


@pytest.mark.parametrize("venue", SOME)
def test_a_feed_is_recorded_with_its_bytes(server: VenueServer, tmp_path: Path, venue: str) -> None:
    with Recorder(
        venue, DIALECTS[venue][1], url=server.url, root=tmp_path, name="taken", raw=True
    ) as recorder:
        assert recorder.wait(60, rows=200).rows >= 200
    recording = recorder.stop()
    assert (recording.broken, recording.raw is None) == ("", False)
    data = ms.data.Catalog(tmp_path).get("taken")
    assert data.rows == recording.rows
    assert all(report.worst != "error" for report in data.check())
    kinds = set(data.read().to_numpy()["kind"].tolist())
    assert kinds, "rows of several kinds"
    assert recording.raw is not None
    with gzip.open(recording.raw, "rt") as lines:
        texts = [line.partition(" ") for line in lines]
    assert len(texts) == recording.raw_lines > 0
    assert all(int(stamp) > 10**18 for stamp, _, _ in texts)
    # Everything but OKX's word for a pulse is JSON.
    assert all(text.strip() == "pong" or json.loads(text) for _, _, text in texts)
