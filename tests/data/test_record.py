"""Recording a live feed, from Python and from the command line, against the exchange server."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mainspring as ms
import pytest
from mainspring.data import Recorder, importers
from mainspring.errors import InvalidValue, NotFoundError, StorageError
from mainspring.exchange import VenueServer


@pytest.fixture(scope="module")
def server() -> Iterator[VenueServer]:
    with VenueServer(markets=["btcusdt"], warm_up_s=10, speed=5.0) as running:
        yield running


def test_a_recording_is_a_data_set_with_its_raw_messages(
    server: VenueServer, tmp_path: Path
) -> None:
    with Recorder(
        "binance_usdm", "btcusdt", url=server.ws_url, root=tmp_path, name="a/b", raw=True
    ) as recorder:
        progress = recorder.wait(60, rows=1_500)
        assert progress.rows >= 1_500
        assert progress.fresh
        assert progress.clock_offset_ns is not None
    recording = recorder.stop()
    assert recording.path == tmp_path / "a" / "b.mse"
    assert (recording.gaps, recording.broken) == (0, "")
    data = ms.data.Catalog(tmp_path).get("a/b")
    assert data.rows == recording.rows
    assert all(report.worst != "error" for report in data.check())
    assert recording.raw is not None
    with gzip.open(recording.raw, "rt") as lines:
        texts = [line.partition(" ") for line in lines]
    assert len(texts) == recording.raw_lines
    assert all(int(stamp) > 10**18 and json.loads(text) for stamp, _, text in texts)
    with pytest.raises(InvalidValue, match="there already"):
        Recorder("binance_usdm", "btcusdt", url=server.ws_url, root=tmp_path, name="a/b")


@pytest.mark.parametrize("venue", ["binance", "binance_usdm"])
def test_the_raw_messages_become_the_same_events_again(
    server: VenueServer, tmp_path: Path, venue: str
) -> None:
    with Recorder(
        venue, "btcusdt", url=server.ws_url, root=tmp_path, name="taken", raw=True
    ) as recorder:
        recorder.wait(60, rows=6_000)
    recording = recorder.stop()
    assert recording.raw is not None
    taken = ms.data.Catalog(tmp_path).get("taken")
    instrument = taken.instruments[0].to_dict()
    report = importers.import_report(
        recording.raw,
        out=tmp_path / "again.mse",
        instrument=instrument,
        streams=("depth", "trades", "best", "mark"),
        clock="keep",
    )
    assert (report.gap_count, report.refused) == (0, [])
    again = ms.data.open(tmp_path / "again.mse")
    ours, theirs = taken.read().to_numpy(), again.read().to_numpy()
    assert report.rows == recording.rows
    assert report.rows_by_kind["Trade"] > 0
    assert report.rows_by_kind["Best"] > 0
    # Snapshots and best prices of spot have no time of the venue's: each side puts its own there.
    untimed = (ours["kind"] >= 3) | (ours["flags"] & 4 > 0)
    for column in ours:
        same = ours[column] == theirs[column]
        if (venue, column) == ("binance", "exch_ns"):
            same |= untimed
        assert same.all(), column


def test_gaps_and_cuts_are_marked_and_repaired(tmp_path: Path) -> None:
    with VenueServer(markets=["btcusdt"], warm_up_s=10, speed=5.0) as server:
        recorder = Recorder("binance", "BTCUSDT", url=server.ws_url, root=tmp_path, name="faulty")
        recorder.wait(60, rows=300)
        server.set_faults(gap=0.02, duplicate=0.05, disconnect=0.005)
        until = time.monotonic() + 60
        while recorder.progress.gaps < 3 or recorder.progress.closed < 1:
            assert time.monotonic() < until, recorder.progress
            time.sleep(0.05)
        server.set_faults(gap=0.0, duplicate=0.0, disconnect=0.0)
        rows = recorder.progress.rows
        assert recorder.wait(60, rows=rows + 300).rows >= rows + 300
        recording = recorder.stop()
    assert recording.gaps >= 3
    (report,) = ms.data.Catalog(tmp_path).get("faulty").check()
    assert report.worst != "error", report.text


def test_what_cannot_be_recorded_is_said(server: VenueServer, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="BTCUSDT"):
        Recorder("binance", "BTCXXX", url=server.ws_url, root=tmp_path)
    with pytest.raises(NotFoundError, match="binance_usdm"):
        Recorder("nowhere", "BTCUSDT", url=server.ws_url, root=tmp_path)
    with pytest.raises(InvalidValue, match="mark"):
        Recorder("binance", "BTCUSDT", streams=["news"], root=tmp_path)
    with pytest.raises(StorageError, match="refused"):
        Recorder("binance", "BTCUSDT", url="ws://127.0.0.1:1", root=tmp_path)
    assert list(tmp_path.rglob("*.mse")) == []


def test_ctrl_c_keeps_what_was_recorded(server: VenueServer, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mainspring", "data", "record", "--venue", "binance"]
    words += ["--symbol", "BTCUSDT", "--url", server.ws_url, "--root", str(tmp_path), "--json"]
    process = subprocess.Popen(
        [*words, "--name", "mine"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "recording: " in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    document = json.loads(out)
    assert document["rows"] > 0
    assert ms.data.Catalog(tmp_path).get("mine").rows == document["rows"]


def test_a_password_of_a_proxy_is_not_taken_from_the_command_line(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mainspring", "data", "record", "--venue", "binance"]
    words += ["--symbol", "BTCUSDT", "--proxy", "http://me:hunter2@host:1", "--root", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "MAINSPRING_PROXY" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
