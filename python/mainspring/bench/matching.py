"""The matching engine of the built-in exchange."""

from __future__ import annotations

from collections.abc import Iterator

from mainspring import _core
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement
from mainspring.data.instruments import instrument

SCENARIOS = ("calm", "normal", "swinging", "crashing")
MESSAGES = 2_000_000


def matching(session: Session) -> Iterator[Measurement]:
    """A mixed load in each scenario; `ns_per_message` is the slowest of them."""
    traded = instrument(
        "BTCUSDT", tick="0.1", lot="0.001", kind="linear_perpetual", min_notional=5
    ).to_json()
    messages = MESSAGES // 100 if session.smoke else MESSAGES
    slowest = 0.0
    for scenario in SCENARIOS:
        ns, _ = _core.time_matching(traded, scenario, messages, session.repeats)
        slowest = max(slowest, ns)
        yield Measurement("matching", f"ns_per_message_{scenario}", "ns", ns)
    yield Measurement("matching", "ns_per_message", "ns", slowest)
