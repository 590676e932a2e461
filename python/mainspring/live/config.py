"""How a session is kept, watched and traded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.backtesting.config import Latency, Span, Venue
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
    """The built-in exchange as a feed: generated orders on the matching engine, in real time.

    Our own orders are filled in the session's kernel by the models of a backtest: they never enter
    the exchange's book, as they would not enter an outside venue's. With
    `fills=ms.Venue(fill_model="matching")` they do: the generated orders and ours are matched in
    the kernel, in one book. The flow does not answer to us, as that of `ms.exchange.flow` does in a
    backtest. The first venue of a session says how, and with what latency.

    Attributes:
        markets: Names of generated markets, as for `ms.sample`.
        seed: Seed of the flow.
        speed: How much faster than in reality the market goes; up to 1,000.
        entry: From us to the venue's matching.
        response: From the venue's matching back to us.
        feed: From the venue to us.
        fills: How orders are filled.
        name: Name of the venue; ``sample`` without it. A session's venues have different names.
        delay: How long after the session's start the market begins: another venue of the same seed
            with a delay shows the same market late.
        matched: Whether orders are matched by the engine; otherwise the generator's own view is
            published as it is.
    """

    markets: Sequence[str] = ("btcusdt",)
    seed: int = 1
    speed: float = 1.0
    entry: Span = "1ms"
    response: Span = "1ms"
    feed: Span = "1ms"
    fills: Venue = field(default_factory=Venue)
    name: str | None = None
    delay: Span = 0
    matched: bool = True

    def to_feed(self) -> dict[str, Any]:
        """The feed in the engine's form.

        Raises:
            ConfigError: A span cannot be used.
        """
        source = {"markets": list(self.markets), "seed": self.seed}
        return {
            "source": {"matched" if self.matched else "generated": source},
            "speed": float(self.speed),
            "feed_ns": span_ns(self.feed, "feed latency"),
            "delay_ns": span_ns(self.delay, "delay"),
            "venue": self.name,
        }

    def latency(self) -> Latency:
        """Latency of requests and answers as the session's kernel has it."""
        return seen_from_here(self.entry, self.response, self.feed)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded event file as a feed, played in real time or faster.

    Attributes:
        path: The event file, of levels and trades, or of orders, which are shown as the levels and
            trades that follow from them; with `fill_model="matching"` our orders are among them.
        speed: How much faster than it was recorded; up to 1,000.
        entry: From us to the venue's matching.
        response: From the venue's matching back to us.
        feed: From the venue to us, in place of what was recorded; it shifts when a request meets
            the book, as in `PaperVenue`.
        fills: How orders are filled.
        name: Name of the venue in place of the file's.
        delay: How long after the session's start it begins.
    """

    path: str | Path
    speed: float = 1.0
    entry: Span = "1ms"
    response: Span = "1ms"
    feed: Span | None = None
    fills: Venue = field(default_factory=Venue)
    name: str | None = None
    delay: Span = 0

    def to_feed(self) -> dict[str, Any]:
        """The feed in the engine's form.

        Raises:
            ConfigError: A span cannot be used.
        """
        feed_ns = None if self.feed is None else span_ns(self.feed, "feed latency")
        return {
            "source": {"recorded": {"path": str(self.path)}},
            "speed": float(self.speed),
            "feed_ns": feed_ns,
            "delay_ns": span_ns(self.delay, "delay"),
            "venue": self.name,
        }

    def latency(self) -> Latency:
        """Latency of requests and answers as the session's kernel has it."""
        return seen_from_here(self.entry, self.response, self.feed or 0)


@dataclass(frozen=True, slots=True)
class VenueFeed:
    """A venue's own market data as a feed: real time, real prices, and no order leaves.

    It needs no key. Our orders are filled in the session's kernel by the models of a backtest, from
    what the venue shows; recording, gaps and lost connections are as in a session on the venue.

    Attributes:
        name: One of `mainspring.venues.venues()`.
        symbols: The instruments, as the venue writes them.
        url: Another place than the venue's own, such as `http://127.0.0.1:8080` of
            `mainspring venue serve`.
        test: The venue's test network.
        entry: From us to the venue's matching, as it would be.
        response: From the venue's matching back to us.
        feed: How long the venue's data takes to us; it shifts when a request meets the book, as in
            `PaperVenue`.
        fills: How orders are filled.
        stale: Market data is not quoted on after so much silence, unanswered pings included.
        proxy: `http://[user:password@]host:port` or `socks5://...`; `MAINSPRING_PROXY` without it.
    """

    name: str
    symbols: Sequence[str]
    url: str | None = None
    test: bool = False
    entry: Span = "1ms"
    response: Span = "1ms"
    feed: Span = "1ms"
    fills: Venue = field(default_factory=Venue)
    stale: Span = "5s"
    proxy: str | None = field(default=None, repr=False)

    def to_feed(self) -> dict[str, Any]:
        """The feed in the engine's form.

        Raises:
            ConfigError: A value cannot be used.
        """
        from mainspring.live.venue import LiveVenue, known_venue

        known_venue(self.name)
        place = LiveVenue(
            self.name, self.symbols, url=self.url, test=self.test, stale=self.stale,
            proxy=self.proxy,
        )  # fmt: skip
        return feed_form({"venue": place.to_engine(0)})

    def latency(self) -> Latency:
        """Latency of requests and answers as the session's kernel has it."""
        return seen_from_here(self.entry, self.response, self.feed)


def feed_form(source: dict[str, Any]) -> dict[str, Any]:
    """A feed that comes from outside, at its own time, in the engine's form."""
    return {"source": source, "speed": 1.0, "feed_ns": None, "delay_ns": 0, "venue": None}


def seen_from_here(entry: Span, response: Span, feed: Span) -> Latency:
    """Latencies where the venue sees a row when we do.

    A request sent at `t` meets the book of `t + entry`, which we see `feed` later; the answer,
    which comes `response` after the matching, is here `response - feed` after that sight.
    """
    feed_ns = span_ns(feed, "feed latency")
    entry_ns, response_ns = span_ns(entry, "entry latency"), span_ns(response, "response latency")
    return Latency(entry=entry_ns + feed_ns, response=max(response_ns - feed_ns, 0))


@dataclass(frozen=True, slots=True)
class Keep:
    """How a session is kept on the disk, and what the supervisor watches.

    Attributes:
        sync: When journal records are on the disk.
        snapshot: Between two snapshots of the state.
        segment_mib: Size of one journal file.
        retain_mib: Files behind the oldest snapshot are removed beyond this.
        archive: A folder of the same disk where they are moved instead of being removed.
        stuck: Trading is halted when the kernel's thread does not go round for so long, while the
            supervisor does.
        strategy: A Python strategy is stopped when one call lasts so long.
        flatten_on_kill: Whether a kill closes positions at the market too.
        busy_poll: Whether kernel and I/O thread never sleep: each takes a core of its own.
        stop: How long the answers to the last cancels are waited for.
        io_core: The core that the thread of venues outside is tied to.
        copies: Connections to each stream of market data of venues outside, at most 8: the first
            copy of a message counts, so that what one of them loses is not lost. dYdX numbers its
            messages by connection and has one.
    """

    sync: Sync = "100ms"
    snapshot: Span = "30s"
    segment_mib: int = 16
    retain_mib: int = 1_024
    archive: str | Path | None = None
    stuck: Span = "1s"
    strategy: Span = "5s"
    flatten_on_kill: bool = False
    busy_poll: bool = False
    stop: Span = "1s"
    io_core: int | None = None
    copies: int = 1

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
                # The end of the last file is kept for closing records on a full disk.
                "reserve_bytes": min(1 << 20, self.segment_mib << 18),
                "archive": None if self.archive is None else str(self.archive),
            },
            "stuck_ns": span_ns(self.stuck, "stuck"),
            "strategy_ns": span_ns(self.strategy, "strategy"),
            "kill_file": str(folder / KILL_FILE),
            "flatten_on_kill": self.flatten_on_kill,
            "signals": signals,
            "busy_poll": self.busy_poll,
            "snapshot_ns": span_ns(self.snapshot, "snapshot"),
            "stop_ns": span_ns(self.stop, "stop"),
            "io_core": self.io_core,
            "copies": self._copies(),
        }

    def _copies(self) -> int:
        if not 1 <= self.copies <= 8:
            raise ConfigError(f"{self.copies} copies of a stream; give 1 to 8")
        return self.copies

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
