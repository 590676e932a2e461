"""Fees of a run, worked by hand from its fills: rates, rebates, tiers by volume, fixed parts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import mainspring as ms
import pytest
from mainspring.data.dataset import Dataset


class Both(ms.Strategy, every="1s"):
    """Quotes both touches and takes now and then, so that fills of both kinds come."""

    _calls: int = 0

    def on_book(self, m: Any) -> None:
        self._calls += 1
        turn = self._calls % 5
        if turn == 3:
            m.quote()
        elif turn == 4:
            (m.buy if m.position < 0 else m.sell)(0.02)
        else:
            m.quote(bid=((m.bid, 0.01),), ask=((m.ask, 0.01),))


def fills(market: Dataset, fees: ms.Fees) -> list[dict[str, Any]]:
    columns = ms.backtest(Both(), market, fees=fees, latency="1ms").fills.to_numpy()
    names = ("price", "qty", "fee", "maker")
    rows = [
        dict(zip(names, row, strict=True)) for row in zip(*(columns[n] for n in names), strict=True)
    ]
    assert {bool(row["maker"]) for row in rows} == {True, False}
    assert len(rows) > 20
    return rows


def money(value: float | str) -> Decimal:
    return Decimal(str(value))


def expected(rows: list[dict[str, Any]], fees: ms.Fees) -> list[Decimal]:
    """The fee of each fill, by the definition in words."""
    volume, out = money(str(fees.volume)), []
    for row in rows:
        maker, taker = money(str(fees.maker)), money(str(fees.taker))
        for from_volume, tier_maker, tier_taker in fees.tiers:
            if volume >= money(str(from_volume)):
                maker, taker = money(str(tier_maker)), money(str(tier_taker))
        notional = money(row["price"]) * money(row["qty"])
        lots = money(row["qty"]) / money("0.001")
        fee = notional * (maker if row["maker"] else taker)
        out.append(fee + money(str(fees.per_fill)) + lots * money(str(fees.per_lot)))
        volume += notional
    return out


@pytest.mark.parametrize(
    "fees",
    [
        ms.Fees(maker="0.0002", taker="0.0005"),
        ms.Fees(maker="-0.0001", taker="0.0004"),
        ms.Fees(maker="0.0002", taker="0.0005", per_fill="0.05", per_lot="0.0001"),
        ms.Fees(
            maker="0.0002",
            taker="0.0005",
            tiers=[("5000", "0.0001", "0.0004"), ("12000", "-0.00005", "0.0003")],
        ),
        ms.Fees(maker="0.0002", taker="0.0005", tiers=[("5000", "0", "0.0004")], volume="1000000"),
    ],
    ids=["rates", "rebate", "fixed", "tiers", "volume before"],
)
def test_fees_are_as_worked_by_hand(market: Dataset, fees: ms.Fees) -> None:
    rows = fills(market, fees)
    wanted = expected(rows, fees)
    for row, fee in zip(rows, wanted, strict=True):
        assert float(row["fee"]) == pytest.approx(float(fee), abs=1e-12)
    if len(fees.tiers) == 2:
        notionals = [money(row["price"]) * money(row["qty"]) for row in rows]
        rates = {round(fee / of, 9) for fee, of in zip(wanted, notionals, strict=True)}
        assert len(rates) >= 4, "the run passed through the tiers"


@pytest.mark.parametrize(
    ("fees", "message"),
    [
        (ms.Fees("0", "0", tiers=[("10", "0", "0"), ("5", "0", "0")]), "ascend in volume"),
        (ms.Fees("0", "0", tiers=[("0", "0", "0")]), "ascend in volume"),
        (ms.Fees("0", "0", per_fill="-1"), "the fee for each fill is -1"),
        (ms.Fees("2", "0"), "fee rate 2"),
    ],
)
def test_impossible_fees_are_refused(market: Dataset, fees: ms.Fees, message: str) -> None:
    with pytest.raises(ms.errors.MainspringError, match=message):
        ms.backtest(Both(), market, fees=fees)
