"""A grid of parameters on all cores, and how much of the best is luck."""

from pathlib import Path
from tempfile import TemporaryDirectory

import mainspring as ms
from lean import Lean


def main() -> None:
    """Runs nine trials over a quarter of an hour of generated data."""
    with TemporaryDirectory() as folder:
        sweep = ms.sweep(
            Lean,
            ms.sample("btcusdt", hours=0.25),
            grid={"threshold": [0.2, 0.4, 0.6], "size": ["0.01", "0.02", "0.03"]},
            latency="2ms",
            out=Path(folder) / "trials",
        )
        print(sweep)


if __name__ == "__main__":
    main()
