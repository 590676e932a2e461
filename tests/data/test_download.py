"""The downloader against a local server with the archive's layout and every sort of trouble."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mainspring.data.download import Transfer, download
from mainspring.errors import DataError, InvalidValue, NotFoundError, StorageError

DAY = "data/spot/daily/trades/BTCUSDT/BTCUSDT-trades-2024-08-08.zip"


class Archive:
    """What the server has, what it was asked, and the trouble it makes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.ranges = True
        self.drop_after: list[int] = []
        self.answers: list[int] = []
        self.retry_after: str | None = None
        self.url = ""

    def add(self, name: str, content: bytes, digest: str | None = None) -> bytes:
        self.files[name] = content
        digest = digest or hashlib.sha256(content).hexdigest()
        self.files[f"{name}.CHECKSUM"] = f"{digest}  {name.rsplit('/', 1)[-1]}\n".encode()
        return content

    def asked(self, suffix: str) -> list[str | None]:
        return [byte_range for path, byte_range in self.requests if path.endswith(suffix)]


def handler(archive: Archive) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            byte_range = self.headers.get("Range")
            archive.requests.append((self.path, byte_range))
            content = archive.files.get(self.path.lstrip("/"))
            is_data = not self.path.endswith(".CHECKSUM")
            if archive.answers and is_data:
                self.refuse(archive.answers.pop(0))
            elif content is None:
                self.refuse(404)
            else:
                self.send(content, byte_range if archive.ranges else None, is_data)

        def refuse(self, code: int) -> None:
            self.send_response(code)
            if archive.retry_after is not None:
                self.send_header("Retry-After", archive.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def send(self, content: bytes, byte_range: str | None, is_data: bool) -> None:
            start = 0
            if byte_range is not None:
                start = int(byte_range.removeprefix("bytes=").removesuffix("-"))
                if start >= len(content):
                    self.refuse(416)
                    return
            body = content[start:]
            self.send_response(206 if byte_range is not None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if is_data and archive.drop_after:
                self.wfile.write(body[: archive.drop_after.pop(0)])
                self.wfile.flush()
                self.close_connection = True
                return
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return Handler


@pytest.fixture
def archive() -> Iterator[Archive]:
    made = Archive()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(made))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


Fetch = Callable[..., list[Path]]


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def fetch(archive: Archive, tmp_path: Path, waits: list[float]) -> Fetch:
    transfer = Transfer(attempts=3, backoff_s=0.5, timeout_s=5, sleep=waits.append)

    def run(symbol: str = "BTCUSDT", kind: str = "trades", **options: Any) -> list[Path]:
        options.setdefault("start", "2024-08-08")
        return download(symbol, kind, folder=tmp_path, base_url=archive.url, transfer=transfer,
                        **options)  # fmt: skip

    return run


def content(size: int = 300_000) -> bytes:
    return b"".join(n.to_bytes(4, "big") for n in range(size // 4))


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.part")]


def test_a_file_is_fetched_verified_and_not_fetched_again(
    archive: Archive, fetch: Fetch, tmp_path: Path
) -> None:
    expected = archive.add(DAY, content())
    seen: list[tuple[str, int, int | None]] = []
    (path,) = fetch(progress=lambda *now: seen.append(now))
    assert path == tmp_path / DAY
    assert path.read_bytes() == expected
    assert seen[-1] == ("BTCUSDT-trades-2024-08-08.zip", 300_000, 300_000)
    before = len(archive.requests)
    assert fetch() == [path]
    assert len(archive.requests) == before, "verified against the checksum kept beside it"
    path.write_bytes(b"damaged later")
    fetch()
    assert path.read_bytes() == expected


def test_a_dropped_connection_goes_on_where_it_stopped(
    archive: Archive, fetch: Fetch, waits: list[float]
) -> None:
    expected = archive.add(DAY, content())
    archive.drop_after = [100_000, 50_000, 1]
    (path,) = fetch()
    assert path.read_bytes() == expected
    assert archive.asked(".zip") == [None, "bytes=100000-", "bytes=150000-", "bytes=150001-"]
    assert waits


def test_what_an_earlier_run_left_is_used(archive: Archive, fetch: Fetch, tmp_path: Path) -> None:
    expected = archive.add(DAY, content())
    part = tmp_path / f"{DAY}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(expected[:123_456])
    (path,) = fetch()
    assert path.read_bytes() == expected
    assert archive.asked(".zip") == ["bytes=123456-"]
    assert left_over(tmp_path) == []


def test_a_whole_or_foreign_rest_is_seen_through(
    archive: Archive, fetch: Fetch, tmp_path: Path
) -> None:
    expected = archive.add(DAY, content())
    part = tmp_path / f"{DAY}.part"
    part.parent.mkdir(parents=True)
    for rest in (expected, b"of another version", b"x" * 400_000):
        part.write_bytes(rest)
        (path,) = fetch()
        assert path.read_bytes() == expected
        path.unlink()


def test_a_server_without_ranges_starts_over(archive: Archive, fetch: Fetch) -> None:
    expected = archive.add(DAY, content())
    archive.ranges = False
    archive.drop_after = [100_000, 200_000]
    (path,) = fetch()
    assert path.read_bytes() == expected


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(
    archive: Archive, fetch: Fetch, tmp_path: Path
) -> None:
    archive.add(DAY, content(), digest="0" * 64)
    with pytest.raises(DataError, match=r"SHA-256 is [0-9a-f]{64}, the archive says 0{64}"):
        fetch()
    assert left_over(tmp_path) == []
    assert not (tmp_path / DAY).exists()


@pytest.mark.parametrize("text", [b"", b"not a digest", b"ab  x.zip", b"\xff\xfe"])
def test_a_checksum_that_is_none_is_refused(archive: Archive, fetch: Fetch, text: bytes) -> None:
    archive.add(DAY, content())
    archive.files[f"{DAY}.CHECKSUM"] = text
    with pytest.raises(DataError, match="not a SHA-256"):
        fetch()


def test_a_checksum_of_another_file_is_refused(archive: Archive, fetch: Fetch) -> None:
    archive.add(DAY, content())
    archive.files[f"{DAY}.CHECKSUM"] = b"0" * 64 + b"  other.zip"
    with pytest.raises(DataError, match=r"of another file: other\.zip"):
        fetch()


def test_a_missing_day_is_not_tried_again(
    archive: Archive, fetch: Fetch, waits: list[float]
) -> None:
    with pytest.raises(NotFoundError, match="the archive has no such file"):
        fetch()
    assert len(archive.requests) == 1
    assert waits == []


def test_missing_days_can_be_skipped(archive: Archive, fetch: Fetch) -> None:
    for day in ("2024-08-08", "2024-08-10"):
        archive.add(DAY.replace("2024-08-08", day), day.encode())
    found = fetch(end="2024-08-10", missing="skip")
    assert [path.read_text() for path in found] == ["2024-08-08", "2024-08-10"]


def test_a_busy_server_is_tried_again_with_growing_waits(
    archive: Archive, fetch: Fetch, waits: list[float]
) -> None:
    expected = archive.add(DAY, content())
    archive.answers = [503, 500]
    (path,) = fetch()
    assert path.read_bytes() == expected
    assert waits == [0.5, 1.0]


def test_the_server_says_how_long_to_wait(
    archive: Archive, fetch: Fetch, waits: list[float]
) -> None:
    archive.add(DAY, content())
    archive.answers = [429]
    archive.retry_after = "7"
    fetch()
    assert waits == [7.0]
    waits.clear()
    archive.add(DAY.replace("08-08", "08-09"), content())
    archive.answers = [429]
    archive.retry_after = "86400"
    fetch(start="2024-08-09")
    assert waits == [60.0], "a minute at most"


def test_tries_are_bounded(archive: Archive, fetch: Fetch, waits: list[float]) -> None:
    archive.add(DAY, content())
    archive.answers = [502] * 100
    with pytest.raises(StorageError, match=r"3 tries failed, the last with: .*502"):
        fetch()
    assert len(archive.asked(".zip")) == 3
    assert len(waits) == 2


def test_a_refusal_is_not_tried_again(archive: Archive, fetch: Fetch) -> None:
    archive.add(DAY, content())
    archive.answers = [403] * 9
    with pytest.raises(StorageError, match=r"refused with .*403"):
        fetch()
    assert len(archive.asked(".zip")) == 1


def test_an_unreachable_server_is_a_storage_error(tmp_path: Path) -> None:
    transfer = Transfer(attempts=2, backoff_s=0, timeout_s=1, sleep=lambda _: None)
    with pytest.raises(StorageError, match="2 tries failed"):
        download("BTCUSDT", start="2024-08-08", folder=tmp_path, transfer=transfer,
                 base_url="http://127.0.0.1:9")  # fmt: skip


def test_names_of_every_market_and_period(archive: Archive, fetch: Fetch) -> None:
    wanted = {
        "data/futures/um/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2023-12.zip": {
            "kind": "klines", "market": "usdm", "period": "monthly", "interval": "1h",
            "start": "2023-12",
        },
        "data/futures/cm/daily/bookTicker/BTCUSD_PERP/BTCUSD_PERP-bookTicker-2024-02-29.zip": {
            "symbol": "BTCUSD_PERP", "kind": "bookTicker", "market": "coinm",
            "start": "2024-02-29",
        },
    }  # fmt: skip
    for name, options in wanted.items():
        archive.add(name, b"zip")
        (path,) = fetch(**options)
        assert str(path).endswith(name)
    archive.add("data/spot/monthly/trades/BTCUSDT/BTCUSDT-trades-2023-12.zip", b"a")
    archive.add("data/spot/monthly/trades/BTCUSDT/BTCUSDT-trades-2024-01.zip", b"b")
    found = fetch(start="2023-12-31", end="2024-01-01", period="monthly")
    assert [path.read_bytes() for path in found] == [b"a", b"b"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "bookDepth"}, "the spot archive has no 'bookDepth'"),
        ({"market": "options"}, "unknown market"),
        ({"period": "weekly"}, "unknown period"),
        ({"start": "08/08/2024"}, "is no date"),
        ({"end": "2024-08-01"}, "before it starts"),
        ({"symbol": "../../etc"}, "is no symbol"),
        ({"symbol": ""}, "is no symbol"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_asked(
    archive: Archive, fetch: Fetch, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidValue, match=message):
        fetch(**options)
    assert archive.requests == []


def test_only_http_is_spoken(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="is no http address"):
        download("BTCUSDT", start="2024-08-08", folder=tmp_path, base_url="file:///etc")
