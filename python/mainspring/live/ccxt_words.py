"""What ccxt says in the words that the engine takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from mainspring.data.instruments import Instrument

Words = dict[str, Any]

# Numbers


def plain(value: Any) -> str | None:
    """A number of ccxt without the noise of binary fractions; None where there is none."""
    if value is None:
        return None
    number = Decimal(f"{value:.15g}" if isinstance(value, float) else str(value))
    return f"{round(number, 12).normalize():f}"


def snapped(value: Any, step: Decimal) -> str | None:
    """A number on its grid where it lies there but for rounding; as it is where it does not."""
    if value is None:
        return None
    steps = Decimal(str(value)) / step
    whole = steps.to_integral_value()
    if abs(steps - whole) > Decimal("1e-6"):
        return plain(value)
    return f"{whole * step:f}"


# Orders, fills, balances, positions


def order_words(order: Mapping[str, Any], one: Instrument, **known: Any) -> Words:
    """An order of ccxt.

    Args:
        order: As ccxt has it.
        one: Its instrument.
        known: What is known better than by what the answer says.
    """
    words = {
        "symbol": one.symbol,
        "client": order.get("clientOrderId") or "",
        "id": order.get("id") or "",
        "status": status_of(order),
        "side": order.get("side"),
        "price": snapped(order.get("price") or None, one.tick),
        "qty": snapped(order.get("amount"), one.lot),
        "filled": snapped(order.get("filled"), one.lot),
        "ms": _ms(order.get("lastTradeTimestamp"), order.get("lastUpdateTimestamp"),
                  order.get("timestamp")),
    }  # fmt: skip
    words.update(known)
    return {name: value for name, value in words.items() if value not in (None, "")}


_ENDED = {"canceled": "cancelled", "cancelled": "cancelled", "canceling": "open"}


def status_of(order: Mapping[str, Any]) -> str:
    """What became of an order. One that ccxt gives no status of was taken: it is open."""
    status = order.get("status") or "open"
    filled, amount = order.get("filled") or 0, order.get("amount") or 0
    if status == "closed":
        return "filled" if not amount or filled >= amount * (1 - 1e-9) else "cancelled"
    if status == "open":
        # One whose trigger was reached stays so until something of it trades: ccxt does not say.
        waits = "armed" if order.get("triggerPrice") else "open"
        return "part" if filled else waits
    if status in ("expired", "rejected"):
        return str(status)
    return _ENDED.get(status, "received")


def fill_words(trade: Mapping[str, Any], one: Instrument, client: str) -> Words:
    """A fill of ours, of the order with this id of ours, empty for those of others."""
    fee = trade.get("fee") or {}
    maker = {"maker": True, "taker": False}.get(trade.get("takerOrMaker") or "")
    words = {
        "symbol": one.symbol,
        "client": client,
        "id": trade.get("order") or "",
        "trade": trade.get("id"),
        "side": trade.get("side"),
        "price": snapped(trade["price"], one.tick),
        "qty": snapped(trade["amount"], one.lot),
        "fee": plain(fee.get("cost")),
        "fee_currency": fee.get("currency"),
        "maker": maker,
        "ms": _ms(trade.get("timestamp")),
    }
    return {name: value for name, value in words.items() if value not in (None, "")}


def balance_words(balance: Mapping[str, Any], currencies: Iterable[str]) -> list[Words]:
    """Totals and what is free, of what there is and of these currencies."""
    total, free = balance.get("total") or {}, balance.get("free") or {}
    wanted = {*currencies, *(name for name, value in total.items() if value)}
    return [
        {"currency": name, "total": plain(total.get(name)) or "0", "free": plain(free.get(name))}
        for name in sorted(wanted)
    ]


def position_words(
    positions: Iterable[Mapping[str, Any]], known: Sequence[Instrument]
) -> list[Words]:
    """A position in every instrument, flat where ccxt lists none."""
    by_symbol = {one.symbol: one for one in known}
    held: dict[str, Decimal] = dict.fromkeys(by_symbol, Decimal(0))
    hedged: set[str] = set()
    for position in positions:
        symbol = position.get("symbol")
        if symbol not in held:
            continue
        size = Decimal(snapped(position.get("contracts") or 0, by_symbol[symbol].lot) or 0)
        held[symbol] += -abs(size) if position.get("side") == "short" else abs(size)
        if position.get("hedged") is True:
            hedged.add(symbol)
    return [
        {"symbol": symbol, "qty": f"{qty:f}", "hedged": symbol in hedged}
        for symbol, qty in held.items()
    ]


def _ms(*times: Any) -> int | None:
    return next((int(time) for time in times if time), None)


# Failures

# The first of its bases that is here says what an exception of ccxt means. What is not here may
# have been done: the venue is asked.
_CLASSES: dict[str, tuple[str, str | None]] = {
    "RateLimitExceeded": ("rate_limited", None),
    "DDoSProtection": ("rate_limited", None),
    "InvalidNonce": ("authentication", None),
    "AuthenticationError": ("authentication", None),
    "ExchangeNotAvailable": ("venue_down", None),
    "InsufficientFunds": ("refused", "insufficient_margin"),
    "OrderNotFound": ("refused", "unknown_order"),
    "OrderImmediatelyFillable": ("refused", "post_only_would_take"),
    "OrderNotFillable": ("refused", "fok_not_filled"),
    "DuplicateOrderId": ("refused", "duplicate_order"),
    "OrderNotCached": ("unknown", None),
    "InvalidOrder": ("refused", None),
    "MarketClosed": ("refused", "halted"),
    "OperationRejected": ("refused", None),
    "BadRequest": ("refused", None),
    "ArgumentsRequired": ("refused", None),
    "NotSupported": ("refused", None),
    "RestrictedLocation": ("refused", None),
    "InvalidAddress": ("refused", None),
}


def failure_words(error: BaseException, hidden: Iterable[str], wait_ms: int | None = None) -> Words:
    """Why something failed, in one of the engine's five classes, without what must not be shown."""
    names = [base.__name__ for base in type(error).__mro__]
    found = next((_CLASSES[name] for name in names if name in _CLASSES), ("unknown", None))
    words: Words = {
        "class": found[0],
        "code": type(error).__name__,
        "message": shown(error, hidden),
    }
    if found[1] is not None:
        words["reason"] = found[1]
    if found[0] == "rate_limited" and wait_ms is not None:
        words["wait_ms"] = wait_ms
    return words


def refusal_words(order: Mapping[str, Any], hidden: Iterable[str]) -> Words:
    """Why an order of a batch was refused, by what the venue said of it."""
    info = order.get("info") or {}
    said = (info.get(word) for word in ("msg", "sMsg", "retMsg", "message", "error", "reason"))
    text = next((str(word) for word in said if word), "refused by the venue")
    code = next((str(info[word]) for word in ("code", "sCode", "retCode") if info.get(word)), "")
    words = failure_words(ValueError(text), hidden)
    return {**words, "class": "refused", "code": code}


def names_of(error: BaseException) -> set[str]:
    """What an exception is by the names of its bases: ccxt may not be installed here."""
    return {base.__name__ for base in type(error).__mro__}


def shown(error: BaseException, hidden: Iterable[str]) -> str:
    """An exception's words: no queries of addresses, where signatures are, and nothing secret."""
    text = re.sub(r"\?\S*", "?...", str(error))
    for secret in hidden:
        text = text.replace(secret, "***")
    return text[:200]


def wait_of(headers: Mapping[str, Any] | None) -> int | None:
    """How long to wait by `Retry-After`, in milliseconds."""
    for name, value in (headers or {}).items():
        if name.lower() == "retry-after" and str(value).strip().isdigit():
            return int(value) * 1_000
    return None


# Our ids of orders


Ids = Literal["text", "uuid", "hex"]
"""How a venue wants our ids: letters and digits, a UUID, or 32 hexadecimal digits behind `0x`."""


def id_text(client: str, ids: Ids) -> str:
    """Our id as the venue is given it: as it is, or as a UUID."""
    if ids != "uuid" or not client:
        return client
    digits = client.removeprefix("0x")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def our_id(text: str, ids: Ids) -> str:
    """The other way round. Some venues put something of their own before an id."""
    if ids != "text":
        digits = text.replace("-", "").lower().removeprefix("0x")
        return f"0x{digits}" if re.fullmatch(r"[0-9a-f]{32}", digits) else text
    found = re.search(r"ms[0-9a-f]{24}(?:r[0-9a-f]{4})?$", text)
    return found.group() if found else text
