"""The strategy on generated data: no network, the same figures on every machine."""

import mainspring as ms
from strategy import Imbalance


def backtest(**parameters: float) -> "ms.Run":
    return ms.backtest(Imbalance(**parameters), ms.sample("btcusdt"), every="100ms")


def test_it_trades() -> None:
    assert len(backtest().fills) > 0


def test_it_holds_no_more_than_its_size() -> None:
    position = backtest(size=0.02).positions.to_numpy()["position"]
    assert abs(position).max() <= 0.02 + 1e-12


def test_a_book_that_never_leans_that_far_gives_no_trade() -> None:
    assert len(backtest(threshold=1.0).fills) == 0


def test_the_same_run_twice_is_the_same_to_the_bit() -> None:
    assert backtest().hash == backtest().hash
