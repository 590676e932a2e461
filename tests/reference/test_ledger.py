"""The reference ledger by hand, and the file that the Rust ledger is held to."""

from __future__ import annotations

from fractions import Fraction

import ledger_histories
from mainspring.reference import Instrument, InstrumentKind, Side
from mainspring.reference.ledger import Ledger

UNIT = 10**18


def test_the_histories_are_up_to_date() -> None:
    assert ledger_histories.FILE.read_text() == ledger_histories.content()


def test_a_linear_round_trip() -> None:
    ledger = Ledger([Instrument(taker_fee="0.0005")], {"USDT": "100"})
    # Buy 2 lots at 61,800.0, sell them at 61,810.0: 10 x 0.002; fees of 0.0618 and 0.06181.
    assert ledger.fill(0, 0, Side.BUY, 618_000, 2, maker=False) == (0, 618 * UNIT // 10_000)
    assert ledger.fill(0, 0, Side.SELL, 618_100, 2, maker=False) == (
        2 * UNIT // 100,
        6181 * UNIT // 100_000,
    )
    assert ledger.totals["USDT"].cash == 100 * UNIT + 2 * UNIT // 100 - 12361 * UNIT // 100_000
    ledger.check()


def test_an_inverse_round_trip() -> None:
    inverse = Instrument(lot="1", multiplier="100", kind=InstrumentKind.INVERSE, quote="USD")
    ledger = Ledger([inverse], {"BTC": "1"})
    # 100 contracts of 100 USD: 0.2 BTC at 50,000.0, 0.16 BTC at 62,500.0.
    ledger.fill(0, 0, Side.BUY, 500_000, 100, maker=True)
    assert ledger.fill(0, 0, Side.SELL, 625_000, 100, maker=True)[0] == 4 * UNIT // 100
    assert ledger.totals["BTC"].cash == 104 * UNIT // 100


def test_funding_is_paid_by_the_long_and_received_by_the_short() -> None:
    ledger = Ledger([Instrument()], {})
    ledger.fill(0, 0, Side.BUY, 600_000, 2_000, maker=True)
    ledger.fill(1, 0, Side.SELL, 600_000, 500, maker=True)
    ledger.funding(0, 100_000, Fraction(600_000))
    assert ledger.positions[0, 0].funding == -12 * UNIT
    assert ledger.positions[1, 0].funding == 3 * UNIT
    assert ledger.totals["USDT"].funding_pool == 9 * UNIT
