"""One strategy in three tiers: the same orders, other speeds."""

import importlib.util
import time

import mainspring as ms


def main() -> None:
    """Runs the shipped market maker in each tier that is installed."""
    data = ms.sample("btcusdt", hours=0.5)
    values = {"size": "0.01", "max_position": "0.05"}
    tiers = {"python": ms.strategies.TouchMaker, "native": ms.native.TouchMaker}
    if importlib.util.find_spec("numba") is not None:
        import mainspring.strategies.compiled as machine

        tiers["compiled"] = machine.TouchMaker
    hashes = set()
    for name, tier in tiers.items():
        ms.backtest(tier(**values), data)  # reads the data in, and compiles
        begin = time.perf_counter()
        run = ms.backtest(tier(**values), data)
        seconds = time.perf_counter() - begin
        hashes.add(run.facts.log_hash)
        print(f"{name:9} {len(run.fills):6} fills in {1e3 * seconds:7.1f} ms")
    print("the same orders" if len(hashes) == 1 else "they differ")


if __name__ == "__main__":
    main()
