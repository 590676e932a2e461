"""Random ledger histories with the reference's exact results, for the Rust ledger's test.

Run it to write `ledger_histories.json` beside it; a test sees to it that the file is up to date.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

from mainspring.reference import Instrument, InstrumentKind, Side
from mainspring.reference.ledger import Ledger
from mainspring.reference.vocabulary import RATE_UNITS

FILE = Path(__file__).with_suffix(".json")
STRATEGIES = 2
DEPOSITS = {"USDT": "1000.5", "BTC": "0.25"}

INSTRUMENTS = [
    Instrument(symbol="perp", maker_fee="-0.00005", taker_fee="0.000333333"),
    Instrument(symbol="spot", tick="0.01", lot="0.00001", kind=InstrumentKind.SPOT),
    Instrument(
        symbol="inverse",
        lot="1",
        multiplier="100",
        kind=InstrumentKind.INVERSE,
        quote="USD",
        maker_fee="0.0001",
        taker_fee="0.000555557",
    ),
    Instrument(symbol="tiny", tick="0.00000001", lot="0.00000001", taker_fee="0.000777777"),
]


def history(seed: int) -> dict[str, Any]:
    """The steps of one history and where they lead."""
    random = Random(seed)
    ledger = Ledger(INSTRUMENTS, DEPOSITS)
    steps = [_step(random, ledger) for _ in range(random.randint(1, 60))]
    ledger.check()
    marks = [
        random.randint(1, 700_000) * RATE_UNITS + random.randrange(RATE_UNITS) for _ in INSTRUMENTS
    ]
    return {
        "steps": steps,
        "marks": [str(mark) for mark in marks],
        "positions": [
            _position(ledger, strategy, at, marks[at])
            for strategy in range(STRATEGIES)
            for at in range(len(INSTRUMENTS))
        ],
        "net": [
            {k: str(v) for k, v in vars(ledger.net[at]).items()} for at in range(len(INSTRUMENTS))
        ],
        "totals": {
            currency: {k: str(v) for k, v in vars(ledger.totals[currency]).items()}
            for currency in ("USDT", "BTC")
        },
    }


def _step(random: Random, ledger: Ledger) -> dict[str, Any]:
    at = random.randrange(len(INSTRUMENTS))
    price = random.choice([random.randint(1, 40), random.randint(400_000, 700_000)])
    if random.random() < 0.15:
        rate, fraction = random.randint(-999_999, 999_999), random.randrange(RATE_UNITS)
        ledger.funding(at, rate, price + Fraction(fraction, RATE_UNITS))
        return {"what": "funding", "at": at, "rate": rate, "price": price, "fraction": fraction}
    strategy, side = random.randrange(STRATEGIES), random.choice(list(Side))
    qty, maker = random.choice([1, 2, 3, 7, random.randint(1, 2_000_000)]), random.random() < 0.5
    realised, fee = ledger.fill(strategy, at, side, price, qty, maker)
    return {
        "what": "fill",
        "strategy": strategy,
        "at": at,
        "buy": side is Side.BUY,
        "price": price,
        "qty": qty,
        "maker": maker,
        "realised": str(realised),
        "fee": str(fee),
    }


def _position(ledger: Ledger, strategy: int, at: int, mark: int) -> dict[str, str]:
    position = ledger.positions[strategy, at]
    unrealised = position.unrealised(INSTRUMENTS[at], Fraction(mark, RATE_UNITS))
    return {k: str(v) for k, v in vars(position).items()} | {"unrealised": str(unrealised)}


def content() -> str:
    """The file as it should be: one history a line."""
    return "\n".join(json.dumps(history(seed), separators=(",", ":")) for seed in range(40)) + "\n"


if __name__ == "__main__":
    FILE.write_text(content())
