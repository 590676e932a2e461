"""The way from a venue's bytes to an order: its stages, and the settings of its I/O thread."""

from __future__ import annotations

import os
import time
from pathlib import Path

import mainspring as ms
import pytest
from mainspring.errors import ConfigError
from mainspring.exchange import VenueServer
from mainspring.live import Credentials, Keep, LiveVenue, live
from mainspring.live.latency import STAGES

MAKER = ms.native.TouchMaker(size="0.02", max_position="0.2", every="50ms")


def test_every_stage_is_timed_with_copies_of_streams_on_a_core_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    key = Credentials(key="simulator-key", secret="simulator-secret")
    core = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    keep = Keep(copies=2, io_core=core)
    with VenueServer(markets=("btcusdt",), speed=5.0) as server:
        place = LiveVenue("binance_usdm", ["BTCUSDT"], key, url=server.url)
        assert place.check().passed
        with live(MAKER, tmp_path / "s", venues=place, size=1.0, keep=keep) as session:
            begun = time.monotonic()
            while set(session.latency()) != set(STAGES):
                assert time.monotonic() - begun < 30, session.latency()
                time.sleep(0.05)
            stages = session.latency()
            (venue,) = session.venues()
    assert not [note for note in venue.notes if note["level"] == "error"]
    for stage in stages.values():
        assert stage.count > 0
        assert stage.p50_ns <= stage.p90_ns <= stage.p99_ns <= stage.p999_ns <= stage.max_ns
    whole = stages["tick_to_trade"]
    assert whole.p50_ns >= stages["encode"].p50_ns


def test_copies_are_a_few() -> None:
    with pytest.raises(ConfigError, match="1 to 8"):
        Keep(copies=9).to_engine(Path("x"), signals=False)
