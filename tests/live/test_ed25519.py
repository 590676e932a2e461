"""Ed25519 keys of Binance, from the look at the venue to fills, over sockets."""

from __future__ import annotations

from pathlib import Path

import mainspring as ms
import pytest
from live_sessions import wait_for
from mainspring.exchange import Member, VenueServer
from mainspring.live import Credentials, LiveVenue, live, verify

# A key pair that everybody knows: of the seed 0, 1, .. 31.
PRIVATE = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
"""
PUBLIC = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=
-----END PUBLIC KEY-----
"""
MAKER = ms.native.TouchMaker(size="0.02", max_position="0.2", every="50ms")


@pytest.mark.parametrize("product", ["binance", "binance_usdm"])
def test_an_ed25519_key_trades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, product: str
) -> None:
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    member = Member(key="ed-key", secret=PUBLIC)
    with VenueServer("binance", markets=("btcusdt",), warm_up_s=10, members=[member]) as server:
        credentials = Credentials(key="ed-key", secret=PRIVATE, ed25519=True)
        venue = LiveVenue(product, ["BTCUSDT"], credentials=credentials, url=server.url)
        check = venue.check()
        assert check.passed, check.problems
        with live(MAKER, tmp_path / "run", venues=venue, size=1.0) as session:
            wait_for(session, "fills", lambda s: s.fills >= 2)
            assert session.venues()[0].up
            session.kill("enough")
            wait_for(session, "end of orders", lambda s: s.open_orders == 0)
            session.stop()
        again = verify(tmp_path / "run")
        assert again.different == 0, again
        wrong = Credentials(key="ed-key", secret="an HMAC secret")
        refused = LiveVenue(product, ["BTCUSDT"], credentials=wrong, url=server.url).check()
        assert not refused.passed
        assert "BEGIN" not in repr(refused) + repr(venue)
