"""Downloads files of Binance's public archive, resumed and verified.

The archive keeps one zip file per symbol, kind and day or month, with its SHA-256 beside it::

    data/spot/daily/trades/BTCUSDT/BTCUSDT-trades-2024-08-08.zip
    data/futures/um/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-08.zip
    ... .zip.CHECKSUM        "<sha256>  <file name>"
"""

from __future__ import annotations

import datetime as dt
import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO, Literal, get_args

from mainspring.data.home import data_home
from mainspring.errors import DataError, InvalidValue, NotFoundError, StorageError

BASE_URL = "https://data.binance.vision"

Market = Literal["spot", "usdm", "coinm"]
Period = Literal["daily", "monthly"]
Progress = Callable[[str, int, int | None], object]

_FOLDERS: dict[str, str] = {"spot": "spot", "usdm": "futures/um", "coinm": "futures/cm"}
_BY_INTERVAL = {"klines", "markPriceKlines", "indexPriceKlines", "premiumIndexKlines"}
_SPOT_KINDS = {"aggTrades", "klines", "trades"}
_FUTURES_KINDS = {
    *_SPOT_KINDS, "bookDepth", "bookTicker", "fundingRate", "indexPriceKlines",
    "liquidationSnapshot", "markPriceKlines", "metrics", "premiumIndexKlines",
}  # fmt: skip

_BLOCK = 1 << 16
_TRANSIENT = {408, 418, 425, 429, 500, 502, 503, 504}
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class Transfer:
    """How hard to try.

    Attributes:
        attempts: tries without any new byte before giving up on a file.
        backoff_s: wait after the first failed try; it doubles with each, up to a minute.
        timeout_s: longest silence of the server.
        sleep: waits; replaced in tests.
    """

    attempts: int = 5
    backoff_s: float = 0.5
    timeout_s: float = 30.0
    sleep: Callable[[float], object] = time.sleep


def download(
    symbol: str,
    kind: str = "trades",
    *,
    start: dt.date | str,
    end: dt.date | str | None = None,
    market: Market = "spot",
    period: Period = "daily",
    interval: str = "1m",
    folder: str | PathLike[str] | None = None,
    base_url: str = BASE_URL,
    missing: Literal["refuse", "skip"] = "refuse",
    progress: Progress | None = None,
    transfer: Transfer | None = None,
) -> list[Path]:
    """Downloads one file a day or month, and verifies each against the archive's SHA-256.

    What is there and verified is not fetched again; what was interrupted goes on where it stopped.

    Args:
        symbol: such as ``BTCUSDT``, or ``BTCUSD_PERP`` for coin-margined contracts.
        kind: trades, aggTrades, klines, and for futures also bookDepth, bookTicker, fundingRate,
            metrics, markPriceKlines and others.
        start: first day, or any day of the first month.
        end: last day, included; `start` without it.
        market: spot, usdm (USD-margined futures) or coinm (coin-margined futures).
        period: a file a day or a month.
        interval: of klines.
        folder: where files go, laid out as in the archive; `downloads` under the data home
            without it.
        base_url: the archive or a mirror of it.
        missing: what to do about a day that the archive does not have.
        progress: called as `progress(name, bytes, bytes_total)`; the total may be None.
        transfer: how hard to try.

    Returns:
        The zip files, oldest first.

    Raises:
        InvalidValue: a kind, market or date that cannot be.
        NotFoundError: the archive does not have a file.
        DataError: a file does not match its checksum, even when fetched anew.
        StorageError: the archive cannot be reached, or the disk takes no more.
    """
    first, last = _date(start), _date(end) if end is not None else _date(start)
    if first > last:
        raise InvalidValue(f"the download ends on {last}, before it starts on {first}")
    directory = _directory(symbol, kind, market, period, interval)
    root = Path(folder) if folder is not None else data_home() / "downloads"
    session = _Session(base_url.rstrip("/"), transfer or Transfer(), progress)
    done = []
    for stamp in _stamps(first, last, period):
        label = interval if kind in _BY_INTERVAL else kind
        name = f"{directory}/{symbol}-{label}-{stamp}.zip"
        try:
            done.append(session.fetch(name, root / name))
        except NotFoundError:
            if missing == "refuse":
                raise
    return done


def _directory(symbol: str, kind: str, market: str, period: str, interval: str) -> str:
    if market not in _FOLDERS:
        raise InvalidValue(f"unknown market {market!r}; there are {', '.join(_FOLDERS)}")
    if period not in get_args(Period):
        raise InvalidValue(f"unknown period {period!r}; there are daily and monthly")
    kinds = _SPOT_KINDS if market == "spot" else _FUTURES_KINDS
    if kind not in kinds:
        raise InvalidValue(
            f"the {market} archive has no {kind!r}; it has {', '.join(sorted(kinds))}"
        )
    if not symbol or not symbol.replace("_", "").isalnum():
        raise InvalidValue(f"{symbol!r} is no symbol; write it like BTCUSDT")
    directory = f"data/{_FOLDERS[market]}/{period}/{kind}/{symbol}"
    return f"{directory}/{interval}" if kind in _BY_INTERVAL else directory


def _date(day: dt.date | str) -> dt.date:
    if isinstance(day, dt.datetime):
        return day.date()
    if isinstance(day, dt.date):
        return day
    try:
        return dt.date.fromisoformat(day if len(day) > 7 else f"{day}-01")
    except ValueError:
        raise InvalidValue(f"{day!r} is no date; write it like 2024-08-08") from None


def _stamps(first: dt.date, last: dt.date, period: str) -> Iterator[str]:
    if period == "daily":
        for n in range((last - first).days + 1):
            yield (first + dt.timedelta(days=n)).isoformat()
        return
    month = first.year * 12 + first.month - 1
    while month <= last.year * 12 + last.month - 1:
        yield f"{month // 12:04}-{month % 12 + 1:02}"
        month += 1


class _Session:
    """Fetches files of one archive."""

    def __init__(self, base_url: str, transfer: Transfer, progress: Progress | None) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise InvalidValue(f"{base_url!r} is no http address")
        self.base_url = base_url
        self.transfer = transfer
        self.progress = progress

    def fetch(self, name: str, target: Path) -> Path:
        """The verified file at `target`; its checksum is kept beside it."""
        checksum_path = target.with_name(target.name + ".CHECKSUM")
        if target.exists() and checksum_path.exists():
            expected = _parse_checksum(name, checksum_path.read_bytes())
            if _sha256(target) == expected:
                return target
        target.parent.mkdir(parents=True, exist_ok=True)
        checksum = self._small(f"{name}.CHECKSUM")
        expected = _parse_checksum(name, checksum)
        partial = target.with_name(target.name + ".part")
        resumed = partial.exists()
        self._complete(name, partial)
        if _sha256(partial) != expected and resumed:
            # What was there before may be of another version of the file: once more, from nothing.
            partial.unlink()
            self._complete(name, partial)
        actual = _sha256(partial)
        if actual != expected:
            partial.unlink()
            raise DataError(
                f"{self.base_url}/{name}: its SHA-256 is {actual}, the archive says {expected}; "
                "the file is damaged there or on the way, so it was not kept"
            )
        partial.replace(target)
        checksum_path.write_bytes(checksum)
        return target

    def _small(self, name: str) -> bytes:
        """A file of a few bytes."""
        for wait in self._tries(name):
            try:
                with self._open(name, 0) as response:
                    return response.read(1 << 16)
            except (OSError, http.client.HTTPException) as error:
                self._judge(name, error)
                wait(error)
        raise AssertionError  # `_tries` ends with an exception

    def _complete(self, name: str, partial: Path) -> None:
        """Appends to `partial` until the server has no more; every new byte renews the tries."""
        while True:
            before = partial.stat().st_size if partial.exists() else 0
            for wait in self._tries(name):
                try:
                    self._append(name, partial)
                    return
                except (OSError, http.client.HTTPException) as error:
                    self._judge(name, error)
                    if partial.exists() and partial.stat().st_size > before:
                        break
                    wait(error)
            self.transfer.sleep(self.transfer.backoff_s)

    def _append(self, name: str, partial: Path) -> None:
        have = partial.stat().st_size if partial.exists() else 0
        try:
            response = self._open(name, have)
        except urllib.error.HTTPError as error:
            # Nothing lies behind what we have: either it is all, or the checksum will tell.
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                return
            raise
        with response:
            resumes = response.status == http.HTTPStatus.PARTIAL_CONTENT
            have = have if resumes else 0
            length = response.headers.get("Content-Length")
            total = have + int(length) if length is not None else None
            with partial.open("ab" if resumes else "wb") as out:
                self._pump(name, response, out, have, total)

    def _pump(
        self, name: str, response: IO[bytes], out: IO[bytes], have: int, total: int | None
    ) -> None:
        while block := response.read(_BLOCK):
            try:
                out.write(block)
            except OSError as error:
                raise StorageError(f"{out.name}: cannot write: {error}") from error
            have += len(block)
            if self.progress is not None:
                self.progress(name.rsplit("/", 1)[-1], have, total)
        if total is not None and have < total:
            raise http.client.IncompleteRead(b"", total - have)

    def _open(self, name: str, from_byte: int) -> http.client.HTTPResponse:
        headers = {"User-Agent": "mainspring"}
        if from_byte:
            headers["Range"] = f"bytes={from_byte}-"
        request = urllib.request.Request(f"{self.base_url}/{name}", headers=headers)  # noqa: S310
        response: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310 - checked above
            request, timeout=self.transfer.timeout_s
        )
        return response

    def _tries(self, name: str) -> Iterator[Callable[[Exception], None]]:
        """One item a try; it is called with what went wrong, and waits."""
        for attempt in range(1, self.transfer.attempts + 1):
            wait_s = min(self.transfer.backoff_s * 2 ** (attempt - 1), _LONGEST_WAIT_S)

            def wait(error: Exception, attempt: int = attempt, wait_s: float = wait_s) -> None:
                if attempt == self.transfer.attempts:
                    raise StorageError(
                        f"{self.base_url}/{name}: {attempt} tries failed, the last with: {error}"
                    ) from error
                self.transfer.sleep(max(wait_s, _retry_after(error)))

            yield wait

    def _judge(self, name: str, error: Exception) -> None:
        """Raises when trying again is of no use."""
        if isinstance(error, StorageError):
            raise error
        if not isinstance(error, urllib.error.HTTPError) or error.code in _TRANSIENT:
            return
        if error.code == http.HTTPStatus.NOT_FOUND:
            raise NotFoundError(
                f"{self.base_url}/{name}: the archive has no such file; check symbol and dates "
                "(a day appears some hours after it ended)"
            ) from error
        raise StorageError(f"{self.base_url}/{name}: refused with {error}") from error


def _retry_after(error: Exception) -> float:
    """Seconds that the server asks to wait, up to a minute."""
    headers = error.headers if isinstance(error, urllib.error.HTTPError) else None
    asked = headers.get("Retry-After", "") if headers is not None else ""
    return min(float(asked), _LONGEST_WAIT_S) if asked.isdigit() else 0.0


def _parse_checksum(name: str, text: bytes) -> str:
    words = text.decode("ascii", "replace").split()
    digest = words[0].lower() if words else ""
    if len(digest) != 64 or any(c not in "0123456789abcdef" for c in digest):
        raise DataError(f"{name}.CHECKSUM: not a SHA-256: {text[:80]!r}")
    if len(words) > 1 and words[1].lstrip("*") != name.rsplit("/", 1)[-1]:
        raise DataError(f"{name}.CHECKSUM: is of another file: {words[1]}")
    return digest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
