"""Stops that compiled strategies ask for, held by the kernel of a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from live_sessions import FAST, notices, wait_for
from mainspring.live import paper, verify
from mainspring.risk import Stop

pytest.importorskip("numba")


@ms.compiled(every="20ms")
class Guarded:
    """Buys once, with a stop near by, and lets go of another one."""

    size: ms.Qty = ms.Qty("0.010")
    distance: float = 0.2
    _bought: bool = False

    def on_book(self, m: Any) -> None:
        if not self._bought and m.bid_ticks is not None and m.ask_ticks is not None:
            self._bought = True
            m.stop(Stop.time("1ms"))
            m.remove_stops()
            m.stop(Stop.trailing(self.distance + m.tick))
            m.buy(self.size)


def test_a_stop_of_machine_code_closes_its_position_and_replays(tmp_path: Path) -> None:
    with paper(Guarded(), tmp_path, venue=FAST) as session:
        wait_for(session, "the stop", lambda s: s.fills >= 2)
        wait_for(session, "its end", lambda s: s.markets[0]["position_lots"] == 0)
        session.stop()
    assert any("stopped out of 10 lots by Trailing" in text for text in notices(tmp_path))
    wishes = ms.journal.open(tmp_path).records(types=["intents"])
    asked = [one for record in wishes for one in record.fields["intents"]]
    kinds = [one["intent"] for one in asked if "stop" in one["intent"]]
    assert kinds == ["stop", "remove_stops", "stop"]
    assert verify(tmp_path, Guarded()).different == 0
