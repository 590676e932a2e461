"""The common workload on disk: made once, by `peers/workload.py`, and turned into event files."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.bench import peers
from mainspring.bench.timing import process
from mainspring.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FOLDER = "BENCH_DATA"
"""Names the folder of the workload; `bench-data` in the working directory without it."""

FEED_LATENCY_NS = 2_000_000
TICK, LOT = "0.1", "0.001"


@dataclass(frozen=True)
class Workload:
    """The folder of the workload."""

    folder: Path

    @classmethod
    def open(cls, *, smoke: bool = False) -> Workload:
        """The workload, made when it is not there.

        Raises:
            ConfigError: it has to be made and nothing here has numba.
        """
        folder = Path(os.environ.get(FOLDER, "bench-data")).absolute()
        if smoke:
            folder = folder / "smoke"
        if not (folder / "aggTrade.jsonl").exists():
            script = str(Path(peers.__file__).with_name("workload.py"))
            process([_maker(), script, str(folder), *(["--smoke"] if smoke else [])])
        return cls(folder)

    @property
    def rows(self) -> Path:
        """The level changes and trades as arrays."""
        return self.folder / "l2.npz"

    @property
    def bars(self) -> Path:
        """The bars as arrays."""
        return self.folder / "bars.npz"

    def event_file(self) -> Path:
        """The rows as an event file."""
        path = self.folder / "l2.mse"
        if not path.exists():
            import_rows(self.folder / "l2.npy", hftbacktest_events(self.rows), path, "BTCUSDT")
        return path

    def event_files(self, count: int, share: int = 16) -> list[Path]:
        """`count` instruments with a `share`-th of the rows each, some microseconds apart."""
        folder = self.folder / f"many-{count}"
        folder.mkdir(exist_ok=True)
        paths = [folder / f"asset{number:02}.mse" for number in range(count)]
        if not paths[-1].exists():
            rows = hftbacktest_events(self.rows)
            rows = rows[: len(rows) // share]
            for number, path in enumerate(paths):
                moved = rows.copy()
                moved["exch_ts"] += number * STAGGER_NS
                moved["local_ts"] += number * STAGGER_NS
                import_rows(path.with_suffix(".npy"), moved, path, f"ASSET{number:02}")
        return paths

    def bar_file(self) -> Path:
        """The bars as an event file."""
        path = self.folder / "bars.mse"
        if not path.exists():
            import_bars(self.bars, path)
        return path


STAGGER_NS = 137_000
"""How far apart the instruments of `event_files` are."""


def _maker() -> str:
    """An interpreter that has numba."""
    interpreter = peers.python()
    if interpreter is not None:
        return str(interpreter)
    if importlib.util.find_spec("numba") is not None:
        return sys.executable
    raise ConfigError(
        "the benchmark data is made with numba: install mainspring[compiled], or the peers with "
        "`make bench`"
    )


def hftbacktest_events(path: Path) -> npt.NDArray[np.void]:
    """The rows of the workload as hftbacktest's event records."""
    import numpy as np

    rows = np.load(path)
    names = ("ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival", "fval")
    kinds = ("u8", "i8", "i8", "f8", "f8", "u8", "i8", "f8")
    out = np.zeros(len(rows["ts"]), np.dtype(list(zip(names, kinds, strict=True))))
    seen_by_both, buy, sell, depth, trade = 3 << 30, 1 << 29, 1 << 28, 1, 2
    out["ev"] = seen_by_both
    out["ev"] |= np.where(rows["kind"] == 0, depth, trade).astype(np.uint64)
    out["ev"] |= np.where(rows["side"] > 0, buy, sell).astype(np.uint64)
    out["exch_ts"] = rows["ts"]
    out["local_ts"] = rows["ts"] + FEED_LATENCY_NS
    out["px"] = rows["tick"] / 10.0
    out["qty"] = rows["lot"] / 1000.0
    return out


def contract(symbol: str) -> dict[str, str]:
    """The instrument of the workload under a symbol."""
    return {
        "symbol": symbol,
        "kind": "linear_perpetual",
        "base": "BTC",
        "quote": "USDT",
        "tick": TICK,
        "lot": LOT,
        "maker_fee": "0.0002",
        "taker_fee": "0.00018",
    }


def import_rows(npy: Path, rows: npt.NDArray[np.void], path: Path, symbol: str) -> None:
    """Makes an event file of hftbacktest's event records."""
    import numpy as np

    from mainspring.data.importers import import_report

    np.save(npy, rows)
    try:
        import_report(npy, "hftbacktest", path, instrument=contract(symbol))
    finally:
        npy.unlink()


def import_bars(npz: Path, path: Path) -> None:
    """Makes an event file of the bars."""
    import numpy as np

    from mainspring.data import instrument, write_bars

    with np.load(npz) as rows:
        frame = {name: rows[name] for name in ("open", "high", "low", "close", "volume")}
        frame["time"] = rows["ts"]
    terms = {name: value for name, value in contract("BTCUSDT").items() if name != "symbol"}
    write_bars(path, frame, instrument("BTCUSDT", **terms), interval="1m")  # type: ignore[arg-type]
