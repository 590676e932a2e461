"""Machine code is kept on disk, found again, and made anew when it cannot be used."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import mainspring as ms
import pytest
from mainspring.data.dataset import Dataset
from mainspring.strategies import compiled as machine
from mainspring.strategy.compilation import machine_code
from mainspring.strategy.compilation.program import translate

pytest.importorskip("numba")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path / "mainspring"


def run(market: Dataset) -> ms.Run:
    return ms.backtest(machine.TouchMaker(size="0.01", max_position="0.05"), market)


def test_it_is_kept_and_found_again_without_numba(market: Dataset, cache: Path) -> None:
    first = run(market)
    assert len(list(cache.iterdir())) == 1
    code = (
        "import sys, mainspring as ms\n"
        "from mainspring.strategies import compiled\n"
        "s = compiled.TouchMaker(size='0.01', max_position='0.05')\n"
        "r = ms.backtest(s, sys.argv[1])\n"
        "assert 'numba' not in sys.modules\n"
        "print(r.facts.log_hash)"
    )
    path = str(next(iter(market.paths)))
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == first.facts.log_hash


def test_damaged_code_is_made_anew(market: Dataset, cache: Path) -> None:
    first = run(market)
    kept = next(cache.iterdir())
    whole = kept.read_bytes()
    for damage in (b"", whole[:-1], whole[:100] + b"\xff" + whole[101:], b"x" * len(whole)):
        kept.write_bytes(damage)
        begin = time.perf_counter()
        assert run(market).facts.log_hash == first.facts.log_hash
        assert time.perf_counter() - begin < 60
        assert machine_code._read(kept) is not None


def test_a_folder_that_cannot_be_written_is_no_error(
    market: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked))
    assert len(run(market).orders) > 50


def test_what_the_code_depends_on_is_in_its_name() -> None:
    llvm = machine_code._llvm()
    keys = {
        machine_code._key(translate(cls), llvm)
        for cls in (machine.TouchMaker, machine.Grid, machine.Glft, machine.Imbalance)
    }
    assert len(keys) == 4
    again = machine_code._key(translate(machine.Grid), llvm)
    assert again in keys
