"""How a session is kept, watched and traded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.backtesting.config import Span, Venue
from mainspring.errors import ConfigError
from mainspring.strategy.time_text import duration_ns

Sync = str
"""What survives what: the death of the process (``process``), a power loss but for the last
milliseconds (a span such as ``"100ms"``), or a power loss too (``each``)."""


def span_ns(value: Span, what: str) -> int:
    """A span in nanoseconds; 0 is allowed.

    Raises:
        ConfigError: It is no span.
    """
    if value in (0, "0"):
        return 0
    try:
        return duration_ns(value)
    except ConfigError as error:
        raise ConfigError(f"{what}: {error}") from None


@dataclass(frozen=True, slots=True)
class PaperVenue:
    """The built-in venue: generated order flow, our orders filled by a backtest's models.

    Attributes:
        markets: Names of generated markets, as for `ms.sample`.
        seed: Seed of the flow.
        speed: How much faster than in reality the market goes; up to 1,000.
        entry: From us to the venue's matching.
        response: From the venue's matching back to us.
        feed: From the venue to us.
        fills: How orders are filled.
    """

    markets: Sequence[str] = ("btcusdt",)
    seed: int = 1
    speed: float = 1.0
    entry: Span = "1ms"
    response: Span = "1ms"
    feed: Span = "1ms"
    fills: Venue = field(default_factory=Venue)

    def to_engine(self) -> dict[str, Any]:
        """The engine's form.

        Raises:
            ConfigError: A span cannot be used.
        """
        return {
            "markets": list(self.markets),
            "seed": self.seed,
            "speed": float(self.speed),
            "entry_ns": span_ns(self.entry, "entry latency"),
            "response_ns": span_ns(self.response, "response latency"),
            "feed_ns": span_ns(self.feed, "feed latency"),
            "sim": self.fills.to_engine(),
        }


@dataclass(frozen=True, slots=True)
class Keep:
    """How a session is kept on the disk, and what the supervisor watches.

    Attributes:
        sync: When journal records are on the disk.
        snapshot: Between two snapshots of the state.
        segment_mib: Size of one journal file.
        retain_mib: Files behind the oldest snapshot are removed beyond this.
        stuck: The kernel halts trading when its thread does not go round for so long.
        strategy: A Python strategy is stopped when one call lasts so long.
        flatten_on_kill: Whether a kill closes positions at the market too.
        busy_poll: Whether the kernel never sleeps: it takes a core of its own.
        stop: How long the answers to the last cancels are waited for.
    """

    sync: Sync = "100ms"
    snapshot: Span = "30s"
    segment_mib: int = 16
    retain_mib: int = 1_024
    stuck: Span = "1s"
    strategy: Span = "5s"
    flatten_on_kill: bool = False
    busy_poll: bool = False
    stop: Span = "1s"

    def to_engine(self, folder: Path, *, signals: bool) -> dict[str, Any]:
        """The engine's form.

        Raises:
            ConfigError: A value cannot be used.
        """
        return {
            "journal": {
                "segment_bytes": self.segment_mib << 20,
                "retain_bytes": self.retain_mib << 20,
                "sync": self._sync(),
            },
            "stuck_ns": span_ns(self.stuck, "stuck"),
            "strategy_ns": span_ns(self.strategy, "strategy"),
            "kill_file": str(folder / KILL_FILE),
            "flatten_on_kill": self.flatten_on_kill,
            "signals": signals,
            "busy_poll": self.busy_poll,
            "snapshot_ns": span_ns(self.snapshot, "snapshot"),
            "stop_ns": span_ns(self.stop, "stop"),
        }

    def _sync(self) -> Any:
        if self.sync in ("process", "each"):
            return self.sync
        milliseconds = span_ns(self.sync, "sync") // 1_000_000
        if not 1 <= milliseconds <= 60_000:
            raise ConfigError(f"sync is {self.sync!r}; give process, each, or 1ms to 60s")
        return {"interval_ms": milliseconds}


@dataclass(frozen=True, slots=True)
class Rollout:
    """Two strategies of a session that are versions of one and share its size.

    Attributes:
        old: The version that is trusted, by name or place.
        new: The version that is tried, by name or place.
        percent: Share of size that the new version has at first; `LiveSession.roll_out` changes it.
    """

    old: str | int
    new: str | int
    percent: int = 0


KILL_FILE = "KILL"
"""As soon as this file is in a session's folder, trading is halted."""
