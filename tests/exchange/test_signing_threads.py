"""Signatures that take long are made on the thread of the venues, never on the kernel's."""

from __future__ import annotations

import json
from pathlib import Path

import mainspring as ms
import pytest
from dialect_side import DIALECTS, UNITS, credentials
from mainspring.exchange import Member, VenueServer
from mainspring.live import Credentials, LiveSession, LiveVenue, live
from mainspring.venues import Codec, signatures_by_thread
from sessions_on_dialects import PATIENT, ready, until

KERNEL = "ms-kernel"

# The key pair of the seed 0, 1, .. 31, which everybody knows.
PRIVATE = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
"""
PUBLIC = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=
-----END PUBLIC KEY-----
"""


def traded(venue: str, server: VenueServer, keys: Credentials, folder: Path) -> LiveSession:
    """A session whose orders are decided on the kernel's thread, until it has sent some."""
    symbols = [DIALECTS[venue][1]]
    place = LiveVenue(venue, symbols, credentials=keys, url=server.url)
    assert place.check().passed
    size, most = (f"{qty / UNITS.get(venue, 1.0):g}" for qty in (0.02, 0.2))
    maker = ms.native.TouchMaker(size=size, max_position=most, every="250ms")
    with live(maker, folder, venues=place, size=1.0) as session:
        ready(session)
        until("orders", lambda: session.status().orders >= 4, session)
        session.stop()
    return session


@pytest.mark.parametrize("kind", ["ed25519", "hyperliquid", "dydx"])
def test_the_kernel_signs_nothing_that_takes_long(kind: str, tmp_path: Path) -> None:
    venue = "binance_usdm" if kind == "ed25519" else kind
    members = [Member(key="ed-key", secret=PUBLIC)] if kind == "ed25519" else None
    keys = (
        Credentials(key="ed-key", secret=PRIVATE, ed25519=True)
        if kind == "ed25519"
        else credentials(venue)
    )
    more = {} if members is None else {"members": members}
    before = signatures_by_thread()
    with VenueServer(
        DIALECTS[venue][0], markets=("btcusdt",), warm_up_s=20, limits=PATIENT, **more
    ) as server:
        session = traded(venue, server, keys, tmp_path / "run")
    made = {
        name: count - before.get(name, 0)
        for name, count in signatures_by_thread().items()
        if count > before.get(name, 0)
    }
    # Each order has a signature of its own; the look at the venue is made by whoever asks for it.
    on_links = sum(count for name, count in made.items() if name.startswith("ms-"))
    assert KERNEL not in made, made
    assert on_links >= session.status().orders, made


def test_the_count_is_of_the_thread_that_signs() -> None:
    codec = Codec("hyperliquid", secret="01" * 32)
    codec.load_instruments(json.dumps({"universe": [{"name": "BTC", "szDecimals": 5}]}))
    order = {
        "kind": "place", "symbol": "BTC", "side": "buy", "price": "25000", "qty": "0.01",
        "client": "0x0000000000000000000000000000000a",
    }  # fmt: skip
    before = signatures_by_thread()
    codec.encode(order, now_ms=1_700_000_000_000)
    after = signatures_by_thread()
    more = {name: count for name, count in after.items() if count > before.get(name, 0)}
    assert len(more) == 1, "one signature by one thread"
    ((name, count),) = more.items()
    assert count == before.get(name, 0) + 1
    assert not name.startswith("ms-")
