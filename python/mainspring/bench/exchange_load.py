"""The built-in exchange as a server, under signed orders over loopback."""

from __future__ import annotations

from collections.abc import Iterator

from mainspring import _core
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement
from mainspring.exchange import Limits, VenueServer

ORDERS = 200_000
CONNECTIONS = 2
BURST = 32
_NO_LIMIT = 2**32 - 1


def exchange_load(session: Session) -> Iterator[Measurement]:
    """Orders a second through the WebSocket API, and how long the slowest of a hundred waits.

    Orders are signed before the clock starts and arrive in bursts over several connections; each is
    checked, matched (it finds no counterpart and ends), recorded and answered.
    """
    orders = ORDERS // 50 if session.smoke else ORDERS
    limits = Limits(*(_NO_LIMIT,) * 5)
    best = (0.0, 0.0, 0.0)
    with VenueServer(markets=["btcusdt"], speed=0, limits=limits) as server:
        member = ("simulator-key", "simulator-secret", "BTCUSDT")
        for _ in range(session.repeats):
            accepted, refused, seconds, p50, p99 = _core.load_venue(
                server.port, member, CONNECTIONS, orders // CONNECTIONS, BURST
            )
            if refused:
                raise RuntimeError(f"{refused} of {orders} orders were refused")
            best = max(best, (accepted / seconds, p50, p99))
    yield Measurement("exchange_load", "orders_per_s", "1/s", best[0])
    yield Measurement("exchange_load", "p50_us", "us", best[1])
    yield Measurement("exchange_load", "p99_us", "us", best[2])
