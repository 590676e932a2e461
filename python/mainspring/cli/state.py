"""`mainspring state`: a session as of any moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.cli.app import verb_app
from mainspring.cli.output import Output, cell, table

app = verb_app("state", "DIR")


@app.default
def state(folder: Path, /, *, at: str | None = None, output: Output | None = None) -> None:
    """Show open orders, positions and money of a session as of a moment, from its journal.

    The journal may be one that is being written. Nothing is changed and nothing runs.

    Parameters
    ----------
    folder
        The journal's folder.
    at
        The moment: ISO 8601 (UTC without a zone) or nanoseconds since 1970; the end without it.
    output
        Flags of every verb.
    """
    from mainspring import journal

    output = output or Output()
    moment = int(at) if at is not None and at.lstrip("-").isdigit() else at
    found = journal.open(folder).state(moment)
    output.result(found, lambda: "")
    output.show(state_text(found))


def state_text(found: Mapping[str, Any]) -> Any:
    """The state as tables."""
    from rich.console import Group

    from mainspring.cli.journal import time_text

    names = [strategy["name"] for strategy in found["strategies"]]
    head = (
        f"as of record {found['sequence']}, {time_text(found['time_ns'])}"
        f"{', trading is halted' if found['halted'] else ''}"
    )
    orders = [
        (
            order["order_id"],
            names[order["strategy"]],
            order.get("symbol", "-"),
            order["side"],
            order["order_type"],
            order["state"],
            order.get("price", "-"),
            order.get("qty", "-"),
            order.get("filled", "-"),
        )
        for order in found["orders"]
    ]
    positions = [
        (
            names[position["strategy"]],
            position["symbol"],
            position["position"],
            cell(position["entry_price"]),
            position["realised"],
            position["unrealised"],
            position["fees"],
            position["currency"],
        )
        for position in found["positions"]
    ]
    money = [
        (currency, one["equity"], one["realised"], one["unrealised"], one["fees"], one["funding"])
        for currency, one in found["money"].items()
    ]
    return Group(
        head,
        table(
            f"open orders: {len(orders)}",
            ("order", "strategy", "symbol", "side", "type", "state", "price", "qty", "filled"),
            orders,
        ),
        table(
            f"positions: {len(positions)}",
            (
                "strategy",
                "symbol",
                "position",
                "entry",
                "realised",
                "unrealised",
                "fees",
                "in",
            ),
            positions,
        ),
        table(
            "money",
            ("currency", "equity", "realised", "unrealised", "fees", "funding"),
            money,
        ),
    )
