"""Who owns orders that were not placed by a session and are adopted by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.errors import ConfigError
from mainspring.strategy.base import Strategy
from mainspring.strategy.native import Account, Native

ACCOUNT = Account.kind


WORDS = ("report", "cancel", "adopt")


def orders_form(orders: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """How `paper` and `live` were told to wait for answers and to treat orders of others.

    Args:
        orders: A word for what is done with orders of others, or the engine's form, in which
            `"foreign"` may be such a word too.

    Returns:
        The engine's form.

    Raises:
        ConfigError: It is neither; the message shows how to write it.
    """
    if orders is None:
        return {}
    form = {"foreign": orders} if isinstance(orders, str) else orders
    how = (
        f"write one of {', '.join(map(repr, WORDS))}, "
        "or Config().orders.to_engine() of mainspring.config for waits and an owner"
    )
    if not isinstance(form, Mapping):
        raise ConfigError(f"orders is {orders!r}: {how}")
    foreign = form.get("foreign", "report")
    if isinstance(foreign, str) and foreign not in WORDS:
        raise ConfigError(f"orders of others are to be {foreign!r}: {how}")
    if foreign == "adopt":
        return {**form, "foreign": {"adopt": {"owner": ACCOUNT}}}
    return dict(form)


def with_owner(
    strategies: Sequence[Strategy | Native], orders: Mapping[str, Any] | None
) -> list[Strategy | Native]:
    """The strategies of a session, with the account behind them where it owns what is adopted.

    Args:
        strategies: Those that were given.
        orders: The policy, in the engine's form.
    """
    policy = (orders or {}).get("foreign")
    adopt = policy.get("adopt") if isinstance(policy, Mapping) else None
    named = any(one.name == ACCOUNT for one in strategies)
    if adopt is None or adopt.get("owner", ACCOUNT) != ACCOUNT or named:
        return list(strategies)
    return [*strategies, Account()]
