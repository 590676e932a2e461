"""The way to a venue through a proxy of one's own, from Python and the command line."""

from __future__ import annotations

import base64
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import mainspring as ms
import pytest
from gate import pump
from live_sessions import until, wait_for
from mainspring.errors import MainspringError
from mainspring.exchange import VenueServer
from mainspring.live import Credentials, LiveVenue, live
from venue_side import KEY, SECRET

MAKER = ms.native.TouchMaker(size="0.02", max_position="0.2", every="50ms")
LOGIN = "user:hunter2"


class Proxy(socketserver.ThreadingTCPServer):
    """Passes on what comes, and notes where to."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.targets: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def pass_on(self, ours: socket.socket, host: str, port: int, ready: bytes) -> None:
        self.targets.append(f"{host}:{port}")
        with socket.create_connection((host, port)) as theirs:
            ours.sendall(ready)
            back = threading.Thread(target=pump, args=(theirs, ours), daemon=True)
            back.start()
            pump(ours, theirs)
            back.join()


class Connect(socketserver.StreamRequestHandler):
    """HTTP CONNECT for those who know the password."""

    server: Proxy

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.request.recv(1)
            if not byte:
                return
            head += byte
        wanted = b"Proxy-Authorization: Basic " + base64.b64encode(LOGIN.encode())
        if wanted not in head:
            self.request.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        self.server.pass_on(self.request, host, int(port), b"HTTP/1.1 200 OK\r\n\r\n")


class Socks(socketserver.BaseRequestHandler):
    """SOCKS5 without a login."""

    server: Proxy

    def handle(self) -> None:
        count = self._take(2)[1]
        self._take(count)
        self.request.sendall(b"\x05\x00")
        kind = self._take(4)[3]
        if kind == 3:
            host = self._take(self._take(1)[0]).decode()
        else:
            host = socket.inet_ntoa(self._take(4))
        port = int.from_bytes(self._take(2), "big")
        self.server.pass_on(self.request, host, port, b"\x05\x00\x00\x01" + bytes(6))

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.request.recv(count - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAINSPRING_PROXY", raising=False)


@pytest.fixture(scope="module")
def server() -> Iterator[VenueServer]:
    with VenueServer("binance", markets=("btcusdt",), warm_up_s=10) as server:
        yield server


def place(server: VenueServer, proxy: str | None = None) -> LiveVenue:
    credentials = Credentials(key=KEY, secret=SECRET)
    return LiveVenue(
        "binance_usdm", ["BTCUSDT"], credentials=credentials, url=server.url, proxy=proxy
    )


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_session_trades_through_a_proxy(server: VenueServer, tmp_path: Path, kind: str) -> None:
    with Proxy(Connect if kind == "http" else Socks) as proxy:
        login = f"{LOGIN}@" if kind == "http" else ""
        venue = place(server, f"{kind}://{login}127.0.0.1:{proxy.server_address[1]}")
        assert "hunter2" not in repr(venue)
        assert venue.check().passed
        looked = len(proxy.targets)
        with live(MAKER, tmp_path / "run", venues=venue, size=1.0) as session:
            wait_for(session, "fills", lambda s: s.fills >= 1)
            session.stop()
        assert len(proxy.targets) > looked, "streams and orders go that way too"
        assert set(proxy.targets) == {f"127.0.0.1:{server.port}"}, "and nothing besides"
        proxy.shutdown()


def test_the_variable_names_the_proxy_and_the_command_line_takes_no_password(
    server: VenueServer, home: Path
) -> None:
    environ = {**os.environ, "MAINSPRING_HOME": str(home)}
    environ |= {"MAINSPRING_BINANCE_KEY": KEY, "MAINSPRING_BINANCE_SECRET": SECRET}
    words = [sys.executable, "-m", "mainspring", "connect", "binance_usdm", "--check"]
    words += ["--symbol", "BTCUSDT", "--url", server.url]
    with Proxy(Connect) as proxy:
        address = f"http://{LOGIN}@127.0.0.1:{proxy.server_address[1]}"
        done = subprocess.run(
            words, env={**environ, "MAINSPRING_PROXY": address}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert proxy.targets
        refused = subprocess.run(
            [*words, "--proxy", address], env=environ, capture_output=True, text=True, check=False
        )
        assert refused.returncode != 0
        assert "MAINSPRING_PROXY" in refused.stderr
        for said in (done.stdout, done.stderr, refused.stdout, refused.stderr):
            assert "hunter2" not in said
        proxy.shutdown()


def test_a_proxy_that_refuses_or_cannot_be_is_told(server: VenueServer) -> None:
    with Proxy(Connect) as proxy:
        port = proxy.server_address[1]
        check = place(server, f"http://user:wrong@127.0.0.1:{port}").check(timeout_s=3)
        assert not check.passed
        assert "wrong" not in repr(check)
        proxy.shutdown()
    for address in ("https://host:8080", "host:8080", "socks4://host"):
        with pytest.raises(MainspringError, match="proxy"):
            place(server, address).check(timeout_s=1)


def test_a_proxy_that_goes_is_a_venue_that_cannot_be_heard(
    server: VenueServer, tmp_path: Path
) -> None:
    proxy = Proxy(Socks)
    venue = place(server, f"socks5://127.0.0.1:{proxy.server_address[1]}")
    assert venue.check().passed
    with live(MAKER, tmp_path / "run", venues=venue, size=1.0) as session:
        wait_for(session, "orders", lambda s: s.orders >= 1)
        (shown,) = session.venues()
        assert shown.up
        server.set_faults(disconnect=1.0)
        proxy.shutdown()
        proxy.server_close()
        until("the loss", lambda: not session.venues()[0].fresh)
        server.set_faults(disconnect=0.0)
        session.stop()
