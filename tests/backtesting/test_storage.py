"""Stored runs: whole or not at all, and every damage is found."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mainspring as ms
import planted
import pytest
from mainspring.data.dataset import Dataset
from mainspring.errors import DataError, NotFoundError, StorageError

HERE = Path(__file__).parent


def _left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _process(code: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, **options
    )  # type: ignore[call-overload,no-any-return]


STORES = """
import resource, sys, planted
import mainspring as ms
from pathlib import Path
limit = int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    ms.backtest(planted.Honest(), Path(sys.argv[1]), out=sys.argv[2])
except ms.errors.StorageError as error:
    print(error)
    raise SystemExit(3)
"""


def test_a_stored_run_is_the_run(stored: Callable[..., Path], market: Dataset) -> None:
    again = ms.Run.load(stored())
    fresh = ms.backtest(planted.Honest(), market)
    assert again.hash == fresh.hash
    assert again.log_bytes == fresh.log_bytes
    assert str(again.summary().money) == str(fresh.summary().money)


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_FSIZE on Windows")
@pytest.mark.parametrize("limit", [1, 20_000, 100_000])
def test_a_full_disk_leaves_nothing(market: Dataset, tmp_path: Path, limit: int) -> None:
    out = tmp_path / "runs"
    out.mkdir()
    done = _process(STORES, market.paths[0], out / "run", limit)
    assert done.returncode == 3, done.stderr
    assert "run" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert _left(out) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to mount a tmpfs"
)
def test_a_tiny_disk_leaves_nothing(market: Dataset, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this system does not let us mount a tmpfs")
    try:
        with pytest.raises(StorageError, match="disk"):
            ms.backtest(planted.Honest(), market, out=disk / "run")
        assert _left(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_keeps_the_run_that_was_there(
    stored: Callable[..., Path], market: Dataset
) -> None:
    folder = stored()
    before = ms.Run.load(folder).hash
    assert _process(STORES, market.paths[0], folder, 20_000).returncode == 3
    assert ms.Run.load(folder).hash == before
    assert _left(folder.parent) == ["run"]


@pytest.mark.parametrize("place", ["file/run", "file/deep/run"])
def test_a_place_that_cannot_be_written_is_told(
    market: Dataset, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match="cannot store the run"):
        ms.backtest(planted.Honest(), market, out=tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_read_only_file_system_is_told(market: Dataset) -> None:
    with pytest.raises(StorageError, match="/proc"):
        ms.backtest(planted.Honest(), market, out="/proc/mainspring-run")


def test_a_foreign_folder_is_refused(market: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "cat.jpg").write_text("cat")
    with pytest.raises(StorageError, match="is no stored run"):
        ms.backtest(planted.Honest(), market, out=folder)
    with pytest.raises(StorageError, match="is no stored run"):
        ms.backtest(planted.Honest(), market).save(folder)
    assert _left(tmp_path) == ["photos"]
    assert _left(folder) == ["cat.jpg"]


def test_an_empty_folder_and_an_older_run_are_replaced(
    market: Dataset, tmp_path: Path, stored: Callable[..., Path]
) -> None:
    (tmp_path / "empty").mkdir()
    run = ms.backtest(planted.Honest(), market, out=tmp_path / "empty")
    assert ms.Run.load(tmp_path / "empty").hash == run.hash
    folder = stored()
    other = ms.backtest(planted.Honest(size="0.02"), market, out=folder)
    assert ms.Run.load(folder).hash == other.hash
    assert _left(tmp_path) == ["empty", "run"]


KILLED = """
import sys, planted
import mainspring as ms
from pathlib import Path
ms.backtest(planted.Slow(), Path(sys.argv[1]), out=sys.argv[2])
"""


def test_a_killed_process_leaves_nothing_that_looks_whole(market: Dataset, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    command = [sys.executable, "-c", KILLED, str(market.paths[0]), str(tmp_path / "run")]
    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 30
    while not _left(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "run").exists()
    assert all(name.startswith(".") for name in _left(tmp_path))
    assert not list(tmp_path.rglob("run.json"))
    with pytest.raises(NotFoundError):
        ms.Run.load(tmp_path / "run")


def _places(length: int) -> list[int]:
    """Every byte of the head, where the structure is, and a spread of the rest."""
    return [*range(min(length, 200)), *range(200, length, max(1, length // 300)), length - 1]


@pytest.mark.parametrize("name", ["run.json", "outputs.mslog"])
@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_every_changed_byte_is_found(stored: Callable[..., Path], name: str, flip: int) -> None:
    folder = stored()
    whole = (folder / name).read_bytes()
    for place in _places(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= flip
        (folder / name).write_bytes(changed)
        with pytest.raises(DataError) as caught:
            ms.Run.load(folder)
        assert len(str(caught.value).splitlines()) == 1, place
        assert str(folder) in str(caught.value), place


@pytest.mark.parametrize("name", ["run.json", "outputs.mslog"])
def test_every_cut_is_found(stored: Callable[..., Path], name: str) -> None:
    folder = stored()
    whole = (folder / name).read_bytes()
    for length in [0, 1, 7, 8, 9, 47, 48, len(whole) // 2, len(whole) - 1]:
        (folder / name).write_bytes(whole[:length])
        with pytest.raises(DataError, match=folder.name):
            ms.Run.load(folder)
    (folder / name).write_bytes(whole + b"\0")
    with pytest.raises(DataError):
        ms.Run.load(folder)


def test_the_log_of_another_run_is_refused(stored: Callable[..., Path]) -> None:
    one, other = stored("one"), stored("other", size="0.02")
    shutil.copyfile(one / "outputs.mslog", other / "outputs.mslog")
    with pytest.raises(DataError, match="is not this run's"):
        ms.Run.load(other)


def test_an_unknown_format_says_so(stored: Callable[..., Path]) -> None:
    from mainspring.backtesting.storage import write_facts

    folder = stored()
    facts = json.loads((folder / "run.json").read_text())
    write_facts(folder, {**facts, "format": 99})
    with pytest.raises(DataError, match="format 99; this version reads 1"):
        ms.Run.load(folder)


@pytest.mark.parametrize("missing", ["run.json", "outputs.mslog"])
def test_a_missing_part_is_not_found(stored: Callable[..., Path], missing: str) -> None:
    folder = stored()
    (folder / missing).unlink()
    with pytest.raises(NotFoundError, match="holds no stored run"):
        ms.Run.load(folder)


@pytest.mark.parametrize("content", ["[]", "3", "null", '"run"', "{}", '{"format": 1}'])
def test_json_that_is_no_run_is_refused(stored: Callable[..., Path], content: str) -> None:
    folder = stored()
    (folder / "run.json").write_text(content)
    with pytest.raises(DataError):
        ms.Run.load(folder)
