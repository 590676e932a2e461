"""Recording a live feed to an event file."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mainspring.data.catalog import SUFFIX, Catalog
from mainspring.errors import DataError, InvalidValue

if TYPE_CHECKING:
    from mainspring.live.ccxt_feed import CcxtFeed
    from mainspring.live.ccxt_recording import CcxtSource

STREAMS = ("book", "best", "trades", "mark")
"""What can be recorded: the book by its changes, best prices, trades, mark price and funding."""

RAW_SUFFIX = ".raw.gz"

CCXT = "ccxt:"
"""In front of ccxt's name of a venue that this engine does not speak to itself."""


@dataclass(frozen=True)
class Progress:
    """How a recording goes.

    Attributes:
        messages: of the venue so far.
        rows: kept so far.
        gaps: places where data is missing, each followed by a snapshot.
        fresh: whether the feed can be relied on now.
        copies_dropped: messages that another copy had brought before.
        clock_offset_ns: the venue's clock against ours; None before it was measured.
        closed: connections that ended; they are made again by themselves.
        last_closed: why the last one did.
        notes: the newest lines of the session's log.
    """

    messages: int
    rows: int
    gaps: int
    fresh: bool
    copies_dropped: int
    clock_offset_ns: int | None
    closed: int
    last_closed: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recording:
    """What was recorded.

    Attributes:
        name: what the catalog calls it; empty when nothing came that could be kept.
        path: the event file; None when nothing came.
        rows: in it.
        gaps: places in it where data is missing.
        bytes: its size.
        raw: the raw messages; None when they were not kept.
        raw_lines: how many messages those are.
        broken: why it ended by itself; empty when it did not.
    """

    name: str
    path: Path | None
    rows: int
    gaps: int
    bytes: int
    raw: Path | None
    raw_lines: int
    broken: str


class Recorder:
    """Records a live feed on a thread of its own until `stop`. Use it as a context manager.

    Prices and quantities are kept in the instrument's ticks and lots, in the order received. Where
    the venue's sequence shows that messages are missing, or the connection was cut, the file has a
    gap and then a snapshot: nothing is made up in between.

    Args:
        venue: its name, such as `binance` or `binance_usdm`; `ccxt:kraken` and the like, or a
            `CcxtFeed`, for those that ccxt speaks to.
        symbol: its symbol, or several, in any case.
        streams: which of `STREAMS`; what a venue does not have is left out.
        name: what the catalog is to call it, with `/` for folders; venue, symbol and time without
            it.
        root: the catalog's folder; `data_home()` without it.
        url: another host that stands for the venue's, such as `ws://127.0.0.1:8080` for the
            built-in exchange.
        test: the venue's test network.
        proxy: `http://[user:password@]host:port` or `socks5://...`; `MAINSPRING_PROXY` without it.
        raw: keep the messages as they came, too: gzipped lines `<receive ns> <message>`. By ccxt
            they are what its client was told, before it made books of them.
        copies: connections to each stream; the first copy of a message counts, by the venue's
            own numbers, so that what one of them loses is not lost (at most 8; dYdX numbers
            messages by connection and has none).
        replace: replace a file of that name.

    Of a venue by ccxt there are no test network, proxy, address and copies here: those are set in
    ccxt's client, by `CcxtFeed`.

    Raises:
        ConfigError: ccxt is not there, or cannot bring these symbols.
        NotFoundError: venue or symbol are unknown.
        InvalidValue: a stream is unknown, or the name is taken.
        StorageError: the venue does not answer or the files cannot be made.
    """

    def __init__(
        self,
        venue: str | CcxtFeed,
        symbol: str | Sequence[str] = (),
        *,
        streams: Sequence[str] = STREAMS,
        name: str | None = None,
        root: str | os.PathLike[str] | None = None,
        url: str | None = None,
        test: bool = False,
        proxy: str | None = None,
        raw: bool = False,
        copies: int = 1,
        replace: bool = False,
    ) -> None:
        from mainspring import _core

        feed = _by_ccxt(venue, symbol)
        if feed is None:
            where, symbols = str(venue), [symbol] if isinstance(symbol, str) else list(symbol)
        else:
            where, symbols = feed.venue, list(feed.symbols)
        _check(symbols, streams, copies)
        if feed is not None and (url or test or proxy or copies > 1):
            raise InvalidValue(f"{where}: addresses, proxies and copies are set in ccxt's client")
        self.name = name or _name(where, symbols)
        self.path = Catalog(root).root / f"{self.name}{SUFFIX}"
        if self.path.exists() and not replace:
            raise InvalidValue(f"{self.name} is there already: choose another name, or replace it")
        self.raw = self.path.with_name(self.path.stem + RAW_SUFFIX) if raw else None
        self._recording: Recording | None = None
        self._source: CcxtSource | None = None
        with contextlib.ExitStack() as undo:
            if feed is None:
                sockets = {
                    "test": test,
                    "url": url,
                    "proxy": proxy or os.environ.get("MAINSPRING_PROXY") or None,
                    "copies": copies,
                    "seed": time.time_ns() % 2**63,
                }
                wire: dict[str, Any] = {"sockets": sockets}
            else:
                from mainspring.live.ccxt_recording import CcxtSource

                self._source = CcxtSource(feed, raw=raw)
                undo.callback(self._source.close)
                wire = self._source.wire()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            config = {
                "venue": where,
                "symbols": symbols,
                "streams": list(streams),
                "target": str(self.path),
                "raw": None if self.raw is None else str(self.raw),
                "wire": wire,
            }
            relay = None if self._source is None else self._source.relay
            self._core = _core.FeedRecorder(json.dumps(config), relay)
            undo.pop_all()

    @property
    def progress(self) -> Progress:
        """How it goes."""
        shown: dict[str, Any] = json.loads(self._core.shown())
        notes = tuple(f"{note['level']} {note['topic']}: {note['text']}" for note in shown["notes"])
        clock = shown["clock"]
        return Progress(
            messages=shown["messages"],
            rows=shown["rows"],
            gaps=shown["gaps"],
            fresh=shown["fresh"],
            copies_dropped=shown["copies_dropped"],
            clock_offset_ns=None if clock is None else clock[0],
            closed=shown["closed"],
            last_closed=shown["last_closed"],
            notes=notes,
        )

    @property
    def is_over(self) -> bool:
        """Whether it ended by itself, as it does when the disk is full."""
        return self._core.is_over

    def wait(self, seconds: float | None = None, *, rows: int | None = None) -> Progress:
        """Waits until so much time has passed, or so many rows are there, or it ended by itself."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self.is_over:
            progress = self.progress
            if rows is not None and progress.rows >= rows:
                break
            left = 0.1 if until is None else min(0.1, until - time.monotonic())
            if left <= 0:
                break
            time.sleep(left)
        return self.progress

    def stop(self) -> Recording:
        """Ends it; what came so far is a complete event file with its entry in the catalog.

        Raises:
            DataError: the file could not be finished.
        """
        if self._recording is None:
            try:
                text = self._core.stop()
            finally:
                if self._source is not None:
                    self._source.close()
            if text is None:
                raise DataError("the recording was ended before and could not be finished")
            done: dict[str, Any] = json.loads(text)
            kept = done["rows"] > 0
            self._recording = Recording(
                name=self.name if kept else "",
                path=self.path if kept else None,
                rows=done["rows"],
                gaps=done["gaps"],
                bytes=done["bytes"],
                raw=self.raw,
                raw_lines=done["raw_lines"],
                broken=done["broken"] or "",
            )
        return self._recording

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def record(
    venue: str | CcxtFeed,
    symbol: str | Sequence[str] = (),
    *,
    seconds: float | None = None,
    rows: int | None = None,
    **options: Any,
) -> Recording:
    """Records for so long, or until so many rows are there, or until Ctrl-C; see `Recorder`.

    What came before a Ctrl-C is kept and returned.
    """
    recorder = Recorder(venue, symbol, **options)
    with contextlib.suppress(KeyboardInterrupt):
        recorder.wait(seconds, rows=rows)
    return recorder.stop()


def _by_ccxt(venue: str | CcxtFeed, symbol: str | Sequence[str]) -> CcxtFeed | None:
    """The feed by ccxt that is wanted, if it is one."""
    if isinstance(venue, str) and not venue.startswith(CCXT):
        return None
    from mainspring.live.ccxt_feed import CcxtFeed

    symbols = [symbol] if isinstance(symbol, str) else list(symbol)
    if isinstance(venue, CcxtFeed):
        if symbols and symbols != list(venue.symbols):
            raise InvalidValue("the feed names its symbols itself: leave them out here")
        return venue
    return CcxtFeed(str(venue).removeprefix(CCXT), symbols)


def _check(symbols: Sequence[str], streams: Sequence[str], copies: int) -> None:
    unknown = set(streams) - set(STREAMS)
    if unknown:
        raise InvalidValue(f"no stream {min(unknown)!r}: there are {', '.join(STREAMS)}")
    if not 1 <= copies <= 8:
        raise InvalidValue(f"{copies} copies of a stream: there are 1 to 8")
    if not symbols:
        raise InvalidValue("a recording needs a symbol")


def _name(venue: str, symbols: Sequence[str]) -> str:
    now = dt.datetime.now(dt.UTC)
    joined = "+".join(symbol.lower().replace("/", "").replace(":", "-") for symbol in symbols[:4])
    return f"live/{venue}/{joined}-{now:%Y%m%d-%H%M%S}"
