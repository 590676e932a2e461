"""Accounts in several currencies: one is shown in another by the books of the run."""

from __future__ import annotations

import runpy
from fractions import Fraction
from pathlib import Path

import mainspring as ms
import pytest
from mainspring import reference
from mainspring.data.dataset import Dataset
from mainspring.errors import ConfigError
from mainspring.reference.ledger import Ledger

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "triangular_arbitrage.py"


@pytest.fixture(scope="module")
def triangle(tmp_path_factory: pytest.TempPathFactory) -> ms.Run:
    trade = runpy.run_path(str(EXAMPLE), run_name="example")["trade"]
    _, run = trade(tmp_path_factory.mktemp("triangle"), hours=0.1)
    return run  # type: ignore[no-any-return]


def test_a_triangle_in_three_currencies_is_worth_what_its_books_say(triangle: ms.Run) -> None:
    """The last sample from fills, deposits and last mids alone, in whole fractions."""
    run = triangle
    fills = run.fills.to_numpy()
    assert len(fills["price"]) > 20
    assert set(fills["instrument"].tolist()) == {0, 1, 2}
    positions = run.positions.to_numpy()
    last = {int(at): row for row, at in enumerate(positions["instrument"].tolist())}
    mid = [
        (_exact(positions["bid"][last[at]]) + _exact(positions["ask"][last[at]])) / 2
        for at in range(3)
    ]
    to_usdt = {"USDT": Fraction(1), "BTC": mid[0], "ETH": mid[1]}
    cash = {"USDT": Fraction(100_000), "BTC": Fraction(1), "ETH": Fraction(10)}
    equity = sum(amount * to_usdt[name] for name, amount in cash.items())
    for index, instrument in enumerate(run.instruments):
        lot, tick = Fraction(instrument["lot"]), Fraction(instrument["grids"][0]["tick"])
        held = paid = Fraction(0)
        of = fills["instrument"] == index
        columns = (fills[name][of].tolist() for name in ("side", "price_ticks", "qty_lots"))
        for side, price, qty in zip(*columns, strict=True):
            held += side * qty * lot
            value = qty * lot * price * tick
            paid += side * value + value * Fraction(1, 100_000)
        equity += (held * mid[index] - paid) * to_usdt[instrument["quote"]]
    assert float(run.equity.to_numpy()["equity"][-1]) == pytest.approx(float(equity), abs=1e-6)


def test_the_reference_values_the_same_fills_alike(triangle: ms.Run) -> None:
    """The plain-Python ledger over the run's fills, at the run's last mids."""
    fills, positions = triangle.fills.to_numpy(), triangle.positions.to_numpy()
    listed = [
        reference.Instrument(
            symbol=one["symbol"], base=one["base"], quote=one["quote"], lot=one["lot"],
            tick=one["grids"][0]["tick"], kind=reference.InstrumentKind.SPOT,
            maker_fee="0", taker_fee="0.00001",
        )
        for one in triangle.instruments
    ]  # fmt: skip
    ledger = Ledger(listed, {"USDT": "100000", "BTC": "1", "ETH": "10"})
    names = ("instrument", "side", "price_ticks", "qty_lots", "maker")
    for at, side, price, qty, maker in zip(*(fills[n].tolist() for n in names), strict=True):
        ledger.fill(
            0, at, reference.Side.BUY if side > 0 else reference.Side.SELL, price, qty, maker
        )
    ledger.check()
    last = {int(at): row for row, at in enumerate(positions["instrument"].tolist())}
    marks = {
        at: (_exact(positions["bid"][row]) + _exact(positions["ask"][row])) / 2
        / Fraction(listed[at].tick)
        for at, row in last.items()
    }  # fmt: skip
    equity = Fraction(ledger.equity("USDT", marks), 10**18)
    assert float(triangle.equity.to_numpy()["equity"][-1]) == pytest.approx(float(equity), abs=1e-9)


def test_a_way_over_two_books_is_found_and_each_step_is_rounded() -> None:
    """The figures of the test of the same name of the compiled ledger (`tests/ledger.rs`)."""
    spot = reference.InstrumentKind.SPOT
    listed = [
        reference.Instrument(
            symbol=base + quote, base=base, quote=quote, tick="0.001", lot="0.001", kind=spot
        )
        for base, quote in (("BTC", "USDT"), ("ETH", "BTC"))
    ]
    marks = {0: Fraction(50_000_000), 1: Fraction(60)}
    assert Ledger(listed, {"ETH": "2"}).equity("USDT", marks) == 6_000 * 10**18
    assert Ledger(listed, {"USDT": "50000"}).equity("ETH", marks) == 16_666_666_666_666_650_000
    assert Ledger(listed, {"USDT": "1"}).rate("USDT", "EUR", marks) is None


def _exact(price: float) -> Fraction:
    return Fraction(float(price)).limit_denominator(10**6)


def test_rounds_leave_no_coins_over(triangle: ms.Run) -> None:
    fills = triangle.fills.to_numpy()
    of = fills["instrument"] != 0
    eth_lots = int((fills["side"][of].astype(int) * fills["qty_lots"][of]).sum())
    # ETH/BTC and ETH/USDT have lots of the same size here; a round has one whole ETH.
    lots = [float(one["lot"]) for one in triangle.instruments]
    assert abs(eth_lots * lots[1]) <= 1.0, "at most the round that was on its way"


def test_a_deposit_that_nothing_connects_is_refused_at_the_start(market: Dataset) -> None:
    maker = ms.native.TouchMaker(size="0.01", max_position="0.1", every="1s")
    cash = {"USDT": 1_000, "EUR": 500}
    with pytest.raises(ConfigError, match="no rate from EUR to USDT"):
        ms.backtest(maker, market, cash=cash)
    run = ms.backtest(maker, market, cash=cash, rates={"EUR/USDT": "1.25"}, end_ns=_soon(market))
    assert float(run.equity.to_numpy()["equity"][0]) == pytest.approx(1_625.0)
    with pytest.raises(ConfigError, match="name two currencies"):
        ms.backtest(maker, market, rates={"EURUSDT": "1"})
    with pytest.raises(ConfigError, match="positive"):
        ms.backtest(maker, market, rates={"EUR/USDT": "0"})


def _soon(market: Dataset) -> int:
    return int(market.read().to_numpy()["recv_ns"][0]) + 5_000_000_000
